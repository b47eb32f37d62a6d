import { randomUUID } from 'node:crypto';
import { decideAppend, type Expected, type StreamView } from './decide-append.ts';
import { EventRows, type ProposedEvent, type RecordedEvent, type StreamRow } from './event-rows.ts';

export type WriteOutcome =
  | { readonly kind: 'stored'; readonly last: number; readonly position: number }
  /** -1: there is no such stream. */
  | { readonly kind: 'wrong-version'; readonly current: number }
  | { readonly kind: 'deleted' }
  | { readonly kind: 'too-large' }
  /** Something that a server does and its double does not. */
  | { readonly kind: 'unsupported'; readonly what: string };

export const storeLimits = {
  /** The server's default for one append. */
  appendBytesMax: 1_048_576,
  /** How many recent events are known by their id, where no revision is expected. */
  recentEventsMax: 100,
} as const;

/** What `$tb` is in the metadata of a stream that was deleted, but not for ever: 2^63 - 1, or what a double makes of it. */
const deletedTruncation = Number.MAX_SAFE_INTEGER;
const deletedMetadata = '{"$tb":9223372036854775807}';

interface Job {
  readonly decide: () => WriteOutcome;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The storage of the double: one writer, which commits together what arrives together. */
export class EventStore {
  readonly rows: EventRows;
  readonly #recent = new Map<string, { readonly stream: string; readonly revision: number }>();
  readonly #listeners = new Set<() => void>();
  #jobs: Job[] = [];

  constructor(folder: string) {
    this.rows = new EventRows(folder);
    // As a server that becomes leader does: an event that is nobody's, and a gap in the positions.
    this.rows.inTransaction(() =>
      this.#insert('$epoch-information', [systemEvent('$epoch-information', '{}')]),
    );
  }

  close(): void {
    this.rows.close();
  }

  /** Called after each commit, until the returned function is called. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  append(
    stream: string,
    expected: Expected,
    events: readonly ProposedEvent[],
  ): Promise<WriteOutcome> {
    return this.#write(() => {
      if (appendBytes(events) > storeLimits.appendBytesMax) return { kind: 'too-large' };
      const what = unsupportedMetadata(stream, events);
      if (what !== undefined) return { kind: 'unsupported', what };
      const view = this.#view(stream);
      const verdict = decideAppend(
        view,
        expected,
        events.map(({ id }) => id),
      );
      if (verdict.kind === 'wrong-version') return { kind: 'wrong-version', current: view.last };
      if (verdict.kind === 'deleted') return verdict;
      if (verdict.kind === 'already-stored') {
        const position = this.rows.positionAt(stream, verdict.last) ?? -1;
        return { kind: 'stored', last: verdict.last, position };
      }
      const position = this.#insert(stream, events);
      if (view.softDeleted) this.#setTruncation(stream, view.last + 1);
      return { kind: 'stored', last: view.last + events.length, position };
    });
  }

  /** Hides all events of a stream; the next append goes on after the last revision. */
  delete(stream: string, expected: Expected): Promise<WriteOutcome> {
    return this.#writeGone(stream, expected, () => {
      return this.#insert(`$$${stream}`, [systemEvent('$metadata', deletedMetadata)]);
    });
  }

  /** Deletes a stream for ever. */
  tombstone(stream: string, expected: Expected): Promise<WriteOutcome> {
    return this.#writeGone(stream, expected, () => {
      const event = {
        ...systemEvent('$streamDeleted', ''),
        stream,
        revision: -1,
        createdUs: nowUs(),
      };
      const { position } = this.rows.insert(event);
      this.rows.setStream(stream, { ...this.rows.stream(stream), tombstoned: true });
      return position;
    });
  }

  #writeGone(stream: string, expected: Expected, write: () => number): Promise<WriteOutcome> {
    return this.#write(() => {
      const view = this.#view(stream);
      const verdict = decideAppend(view, expected, []);
      if (verdict.kind === 'deleted') return verdict;
      if (verdict.kind !== 'store') return { kind: 'wrong-version', current: view.last };
      return { kind: 'stored', last: view.last, position: write() };
    });
  }

  #write(decide: () => WriteOutcome): Promise<WriteOutcome> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ decide, resolve, reject });
      if (this.#jobs.length === 1) setImmediate(() => this.#commit());
    });
  }

  /** Nobody is answered before everything is synced. */
  #commit(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    let outcomes: WriteOutcome[];
    try {
      outcomes = this.rows.inTransaction(() => jobs.map(({ decide }) => decide()));
    } catch (error) {
      // What was remembered of events that are not there after all.
      this.#recent.clear();
      for (const { reject } of jobs) reject(error);
      return;
    }
    for (const [index, { resolve }] of jobs.entries()) resolve(outcomes[index] as WriteOutcome);
    for (const listener of this.#listeners) listener();
  }

  #view(stream: string): StreamView {
    const row = this.rows.stream(stream);
    return {
      last: row.last,
      tombstoned: row.tombstoned,
      softDeleted: isSoftDeleted(row),
      hasMetadata: this.rows.stream(`$$${stream}`).last >= 0,
      recent: (id) => {
        const known = this.#recent.get(id);
        return known?.stream === stream ? known.revision : undefined;
      },
      idAt: (revision) => this.rows.idAt(stream, revision),
    };
  }

  /** The position of the last one. */
  #insert(stream: string, events: readonly ProposedEvent[]): number {
    const row = this.rows.stream(stream);
    let last = row.last;
    let recorded: RecordedEvent | undefined;
    for (const event of events) {
      last += 1;
      recorded = this.rows.insert({ ...event, stream, revision: last, createdUs: nowUs() });
      this.#remember(event.id, stream, last);
      if (stream.startsWith('$$')) this.#keepTruncation(stream.slice(2), event);
    }
    this.rows.setStream(stream, { ...row, last });
    return recorded?.position ?? this.rows.end();
  }

  #remember(id: string, stream: string, revision: number): void {
    this.#recent.delete(id);
    this.#recent.set(id, { stream, revision });
    if (this.#recent.size <= storeLimits.recentEventsMax) return;
    const [oldest] = this.#recent.keys();
    if (oldest !== undefined) this.#recent.delete(oldest);
  }

  #setTruncation(stream: string, truncateBefore: number): void {
    const metadata = JSON.stringify({ $tb: truncateBefore });
    this.#insert(`$$${stream}`, [systemEvent('$metadata', metadata)]);
  }

  #keepTruncation(stream: string, { type, data }: ProposedEvent): void {
    if (type !== '$metadata') return;
    const { $tb = 0 } = metadataOf(data);
    const truncateBefore = Math.min(Number($tb), deletedTruncation);
    this.rows.setStream(stream, { ...this.rows.stream(stream), truncateBefore });
  }
}

export function isSoftDeleted({ truncateBefore }: StreamRow): boolean {
  return truncateBefore === deletedTruncation;
}

function systemEvent(type: string, data: string): ProposedEvent {
  const contentType = 'application/json';
  const bytes = Buffer.from(data);
  return { id: randomUUID(), type, contentType, metadata: Buffer.alloc(0), data: bytes };
}

function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1_000);
}

/** As the server counts: two bytes for a character of the type. */
function appendBytes(events: readonly ProposedEvent[]): number {
  return events.reduce(
    (sum, { type, metadata, data }) => sum + type.length * 2 + metadata.length + data.length,
    0,
  );
}

function metadataOf(data: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Rules for old events that a server would keep: a test must not believe that the double does. */
function unsupportedMetadata(stream: string, events: readonly ProposedEvent[]): string | undefined {
  if (!stream.startsWith('$$')) return undefined;
  return events
    .flatMap(({ data }) => Object.keys(metadataOf(data)))
    .find((name) => name === '$maxAge' || name === '$maxCount');
}
