import type { Clock } from '@annals/core';
import { changedMessage, isContentChanged } from './content.ts';
import { LogHash } from './log-hash.ts';
import type { EventLog } from './port.ts';
import { type Line, type Manifest, parseLine } from './transfer-format.ts';
import { type CarriedEvent, UnchangedWriter, type WriteRefusal } from './unchanged-writer.ts';

export interface ImportOptions {
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Stops the import; the next one goes on from what is there. */
  readonly signal?: AbortSignal;
  readonly clock?: Pick<Clock, 'sleep'>;
}

export interface ImportProgress {
  /** Lines read and dealt with. */
  readonly lines: number;
  /** Events this import stored. */
  readonly added: number;
  /** Events that were in the log already, the same in every byte. */
  readonly present: number;
}

export type ImportRefusal =
  /** The first line is not the header of an export. */
  | 'not-an-export'
  | 'newer-format'
  | 'corrupted-line'
  /** The line is whole, and its data is not what its content hash was made of. */
  | 'changed-event'
  /** The lines end before the manifest. */
  | 'truncated'
  /** Counts or hash of the events are not those of the manifest: lines are missing or come twice. */
  | 'manifest-mismatch'
  | WriteRefusal;

export interface ImportRefused {
  readonly kind: 'refused';
  readonly reason: ImportRefusal;
  /** The line it was found at; the first line is 1. */
  readonly line: number;
  readonly detail: string;
}

export type ImportResult =
  | {
      readonly kind: 'imported';
      readonly manifest: Manifest;
      readonly added: number;
      readonly present: number;
      /** Events of the log that are not in these lines: 0 when the log is now what was exported. */
      readonly others: number;
    }
  | { readonly kind: 'aborted'; readonly line: number }
  | ImportRefused;

/** What is held at a time: what bounds memory. */
const windowEventsMax = 4_000;
const windowCharsMax = 8_000_000;

/**
 * Stores what `exportLog` wrote, with every revision and every `recordedAt` as it was. Each append
 * expects the revision before its first event, so nothing can come to stand at another revision.
 * An import that was broken off is repeated: events that are there are compared and passed over.
 */
export async function importLog(
  log: EventLog,
  lines: AsyncIterable<string> | Iterable<string>,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const importing = new Import(log, options);
  for await (const text of lines) {
    if (options.signal?.aborted) return { kind: 'aborted', line: importing.line };
    const refused = await importing.take(text);
    if (refused) return refused;
  }
  if (options.signal?.aborted) return { kind: 'aborted', line: importing.line };
  return importing.finish();
}

class Import {
  line = 0;
  readonly #log: EventLog;
  readonly #options: ImportOptions;
  readonly #writer: UnchangedWriter;
  readonly #hash = new LogHash();
  #window: CarriedEvent[] = [];
  #windowChars = 0;
  #manifest: Manifest | undefined;

  constructor(log: EventLog, options: ImportOptions) {
    this.#log = log;
    this.#options = options;
    this.#writer = new UnchangedWriter(log, options.clock);
  }

  async take(text: string): Promise<ImportRefused | undefined> {
    this.line += 1;
    const line = parseLine(text);
    const refused = this.#outOfPlace(line);
    // What stands before a bad line is good, and is stored: the repaired file goes on from there.
    if (refused) return (await this.#writeWindow()) ?? refused;
    if (line.kind === 'manifest') this.#manifest = line.manifest;
    if (line.kind !== 'event') return undefined;
    this.#hash.add(line.event, line.hash);
    this.#window.push({ at: this.line, event: line.event, hash: line.hash });
    this.#windowChars += text.length;
    const full = this.#window.length >= windowEventsMax || this.#windowChars >= windowCharsMax;
    return full ? this.#writeWindow() : undefined;
  }

  async finish(): Promise<ImportResult> {
    const refused = await this.#writeWindow();
    if (refused) return refused;
    if (this.line === 0) return this.#refused('not-an-export', 'there is no line at all');
    if (!this.#manifest) {
      return this.#refused('truncated', 'the last line is not the manifest: the file is cut short');
    }
    const { events, streams } = this.#hash;
    const found: Manifest = { events, streams, hash: this.#hash.digest() };
    for (const member of ['events', 'streams', 'hash'] as const) {
      if (found[member] === this.#manifest[member]) continue;
      const detail = `the manifest says ${member} ${this.#manifest[member]}, the lines give ${found[member]}`;
      return this.#refused('manifest-mismatch', detail);
    }
    let stored = 0;
    for (const count of (await this.#log.count()).values()) stored += count;
    return {
      kind: 'imported',
      manifest: this.#manifest,
      added: this.#writer.added,
      present: this.#writer.present,
      others: stored - events,
    };
  }

  #outOfPlace(line: Line): ImportRefused | undefined {
    if (line.kind === 'newer-format') {
      const detail = `this export has format version ${line.version}: import it with a newer Annals`;
      return this.#refused('newer-format', detail);
    }
    if (this.line === 1) {
      if (line.kind === 'header') return undefined;
      const detail = line.kind === 'corrupted' ? line.detail : 'it is not the header of an export';
      return this.#refused('not-an-export', detail);
    }
    if (line.kind === 'corrupted') return this.#refused('corrupted-line', line.detail);
    if (line.kind === 'event' && isContentChanged(line.event)) {
      return this.#refused('changed-event', changedMessage(line.event));
    }
    if (line.kind === 'header') return this.#refused('corrupted-line', 'a second header');
    return this.#manifest
      ? this.#refused('corrupted-line', 'there is more behind the manifest')
      : undefined;
  }

  /** Writes the events held; refuses with the first line that does not fit. */
  async #writeWindow(): Promise<ImportRefused | undefined> {
    const held = this.#window;
    this.#window = [];
    this.#windowChars = 0;
    const refused = await this.#writer.write(held);
    const { added, present } = this.#writer;
    this.#options.onProgress?.({ lines: this.line, added, present });
    return refused && this.#refused(refused.reason, refused.detail, refused.at);
  }

  #refused(reason: ImportRefusal, detail: string, line = this.line): ImportRefused {
    return { kind: 'refused', reason, line, detail };
  }
}
