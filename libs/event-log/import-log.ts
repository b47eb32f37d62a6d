import { type Clock, systemClock } from '@annals/core';
import { appendBytes } from './append-rules.ts';
import { changedMessage, isContentChanged } from './content.ts';
import { limits } from './limits.ts';
import { eventHash, LogHash, type PortableEvent } from './log-hash.ts';
import type { EventLog, Revision, StoredEvent } from './port.ts';
import { type Line, type Manifest, parseLine } from './transfer-format.ts';

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
  /** A stream goes on from a revision that neither the log nor the lines before have. */
  | 'missing-events'
  /** The log holds another event where this line's event belongs, or its id elsewhere. */
  | 'log-differs'
  /** The log did not take an append, however often it was sent. */
  | 'append-failed';

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

/** Events held at a time, and how many streams are written at a time: what bounds memory. */
const windowEventsMax = 4_000;
const windowCharsMax = 8_000_000;
const streamsUnderWayMax = 64;
/** Sends of one append that is answered `unknown` or `overloaded`, or that another writer outran. */
const sendsMax = 20;
const resendMsMax = 500;

interface Numbered {
  readonly line: number;
  readonly event: PortableEvent;
  readonly hash: string;
}

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
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #hash = new LogHash();
  #window: Numbered[] = [];
  #windowChars = 0;
  #manifest: Manifest | undefined;
  #added = 0;
  #present = 0;

  constructor(log: EventLog, options: ImportOptions) {
    this.#log = log;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
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
    this.#window.push({ line: this.line, event: line.event, hash: line.hash });
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
      added: this.#added,
      present: this.#present,
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

  /** Writes the events held, each stream on its own; refuses with the first line that does not fit. */
  async #writeWindow(): Promise<ImportRefused | undefined> {
    const streams = [...Map.groupBy(this.#window, ({ event }) => event.stream).values()];
    this.#window = [];
    this.#windowChars = 0;
    const refusals: ImportRefused[] = [];
    const writer = async () => {
      for (let events = streams.shift(); events; events = streams.shift()) {
        const refused = await this.#writeStream(events);
        if (refused) refusals.push(refused);
      }
    };
    // All writers come to rest before an error goes on, so that nothing is written behind its back.
    const writers = await Promise.allSettled(Array.from({ length: streamsUnderWayMax }, writer));
    for (const end of writers) if (end.status === 'rejected') throw end.reason;
    this.#options.onProgress?.({ lines: this.line, added: this.#added, present: this.#present });
    return refusals.sort((a, b) => a.line - b.line)[0];
  }

  async #writeStream(events: readonly Numbered[]): Promise<ImportRefused | undefined> {
    for (const run of runsOf(events)) {
      const refused = await this.#writeRun(run);
      if (refused) return refused;
    }
    return undefined;
  }

  /** `run` has consecutive revisions and fits one append. Reads first: after a break most of it is there. */
  async #writeRun(run: readonly Numbered[]): Promise<ImportRefused | undefined> {
    const { stream, revision } = first(run).event;
    let foundPresent: number | undefined;
    for (let sends = 0; ; sends += 1) {
      const page = await this.#log.readStream(stream, { from: revision, limit: run.length });
      const differs = firstDifference(run, page.events);
      if (differs) return differs;
      const head = page.head === 'no-stream' ? -1 : page.head;
      if (head < revision - 1) return missingEvents(first(run), page.head);
      foundPresent ??= page.events.length;
      const rest = run.slice(page.events.length);
      if (rest.length > 0 && sends === sendsMax) {
        return appendFailed(first(rest), `it was sent ${sends} times`);
      }
      // After an answer that leaves it open, the next look at the stream says what was stored.
      const sent = rest.length === 0 ? 'stored' : await this.#send(rest);
      if (typeof sent !== 'string') return sent;
      if (sent === 'stored') {
        this.#present += foundPresent;
        this.#added += run.length - foundPresent;
        return undefined;
      }
      await this.#clock.sleep(Math.min(resendMsMax, 2 ** sends));
    }
  }

  async #send(rest: readonly Numbered[]): Promise<'stored' | 'open' | ImportRefused> {
    const { stream, revision } = first(rest).event;
    const result = await this.#log.append(
      stream,
      rest.map(({ event }) => event),
      { expected: revision === 0 ? 'no-stream' : revision - 1 },
    );
    switch (result.kind) {
      case 'stored': {
        if (result.revision !== revision + rest.length - 1) return elsewhere(first(rest));
        return result.duplicate ? 'open' : 'stored';
      }
      case 'content-mismatch':
        return elsewhere(rest.find(({ event }) => event.id === result.id) ?? first(rest));
      case 'partial-duplicate':
        return elsewhere(rest.find(({ event }) => event.id === result.known[0]) ?? first(rest));
      case 'refused':
        if (result.reason === 'overloaded') return 'open';
        return appendFailed(first(rest), `${result.reason}: ${result.detail}`);
      case 'conflict':
      case 'unknown':
        return 'open';
    }
  }

  #refused(reason: ImportRefusal, detail: string): ImportRefused {
    return { kind: 'refused', reason, line: this.line, detail };
  }
}

/** Splits one stream's events where revisions leap and where an append would be too large. */
function runsOf(events: readonly Numbered[]): Numbered[][] {
  const runs: Numbered[][] = [];
  let bytes = 0;
  for (const numbered of events) {
    const run = runs.at(-1);
    const size = appendBytes([numbered.event]);
    bytes += size;
    const previous = run?.at(-1)?.event.revision;
    if (
      run &&
      previous === numbered.event.revision - 1 &&
      run.length < limits.appendEventsMax &&
      bytes <= limits.appendBytesMax
    ) {
      run.push(numbered);
    } else {
      runs.push([numbered]);
      bytes = size;
    }
  }
  return runs;
}

function first(run: readonly Numbered[]): Numbered {
  const [numbered] = run;
  if (!numbered) throw new Error('a run holds at least one event');
  return numbered;
}

const compared = [
  'id',
  'type',
  'schemaVersion',
  'data',
  'contentHash',
  'occurredAt',
  'recordedAt',
] as const;

function firstDifference(
  run: readonly Numbered[],
  stored: readonly StoredEvent[],
): ImportRefused | undefined {
  for (const [index, there] of stored.entries()) {
    const numbered = run[index];
    if (!numbered || eventHash(there) === numbered.hash) continue;
    const { event, line } = numbered;
    const field = compared.find((name) => there[name] !== event[name]) ?? 'metadata';
    const detail = `${event.stream}@${event.revision}: the log has another ${field}`;
    return { kind: 'refused', reason: 'log-differs', line, detail };
  }
  return undefined;
}

function elsewhere({ event, line }: Numbered): ImportRefused {
  const detail = `${event.stream}@${event.revision}: the log has event ${event.id} at another revision`;
  return { kind: 'refused', reason: 'log-differs', line, detail };
}

function missingEvents({ event, line }: Numbered, head: Revision | 'no-stream'): ImportRefused {
  const there = head === 'no-stream' ? 'does not have it' : `has it up to revision ${head}`;
  const detail = `${event.stream} goes on at revision ${event.revision}, and the log ${there}`;
  return { kind: 'refused', reason: 'missing-events', line, detail };
}

function appendFailed({ event, line }: Numbered, detail: string): ImportRefused {
  const where = `${event.stream}@${event.revision}`;
  return { kind: 'refused', reason: 'append-failed', line, detail: `${where}: ${detail}` };
}
