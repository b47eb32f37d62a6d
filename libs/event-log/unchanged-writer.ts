import { type Clock, systemClock } from '@annals/core';
import { appendBytes } from './append-rules.ts';
import { limits } from './limits.ts';
import { eventHash, type PortableEvent } from './log-hash.ts';
import { isPassing } from './passing-refusal.ts';
import type { EventLog, Revision, StoredEvent } from './port.ts';

/** An event on its way into another log. */
export interface CarriedEvent {
  /** Its number where it comes from (the line of an export, say), to name what does not fit. */
  readonly at: number;
  readonly event: PortableEvent;
  /** Its `eventHash`. */
  readonly hash: string;
}

export type WriteRefusal =
  /** A stream goes on from a revision that neither the log nor the events before have. */
  | 'missing-events'
  /** The log holds another event where this one belongs, or its id elsewhere. */
  | 'log-differs'
  /** The log did not take an append, however often it was sent. */
  | 'append-failed';

export interface WriteRefused {
  readonly reason: WriteRefusal;
  readonly at: number;
  readonly detail: string;
}

/** How many streams are written at a time. */
const streamsUnderWayMax = 64;
/** Sends of one append that is answered `unknown` or with a refusal that passes, or that another writer outran. */
const sendsMax = 20;
const resendMsMax = 500;

/**
 * Stores events of another log with every revision and every `recordedAt` as it was. Each append expects the
 * revision before its first event, so nothing can come to stand at another revision. What is there already is
 * compared and passed over.
 */
export class UnchangedWriter {
  readonly #log: EventLog;
  readonly #clock: Pick<Clock, 'sleep'>;
  #added = 0;
  #present = 0;

  constructor(log: EventLog, clock: Pick<Clock, 'sleep'> = systemClock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Events that were stored. */
  get added(): number {
    return this.#added;
  }

  /** Events that were in the log, the same in every byte. */
  get present(): number {
    return this.#present;
  }

  /** Writes events, each stream on its own; refuses with the first one that does not fit. */
  async write(events: readonly CarriedEvent[]): Promise<WriteRefused | undefined> {
    const streams = [...Map.groupBy(events, ({ event }) => event.stream).values()];
    const refusals: WriteRefused[] = [];
    const writer = async () => {
      for (let own = streams.shift(); own; own = streams.shift()) {
        const refused = await this.#writeStream(own);
        if (refused) refusals.push(refused);
      }
    };
    // All writers come to rest before an error goes on, so that nothing is written behind its back.
    const writers = await Promise.allSettled(Array.from({ length: streamsUnderWayMax }, writer));
    for (const end of writers) if (end.status === 'rejected') throw end.reason;
    return refusals.sort((a, b) => a.at - b.at)[0];
  }

  async #writeStream(events: readonly CarriedEvent[]): Promise<WriteRefused | undefined> {
    for (const run of runsOf(events)) {
      const refused = await this.#writeRun(run);
      if (refused) return refused;
    }
    return undefined;
  }

  /** `run` has consecutive revisions and fits one append. Reads first: after a break most of it is there. */
  async #writeRun(run: readonly CarriedEvent[]): Promise<WriteRefused | undefined> {
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

  async #send(rest: readonly CarriedEvent[]): Promise<'stored' | 'open' | WriteRefused> {
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
        if (isPassing(result.reason)) return 'open';
        return appendFailed(first(rest), `${result.reason}: ${result.detail}`);
      case 'conflict':
      case 'unknown':
        return 'open';
    }
  }
}

/** Splits one stream's events where revisions leap and where an append would be too large. */
function runsOf(events: readonly CarriedEvent[]): CarriedEvent[][] {
  const runs: CarriedEvent[][] = [];
  let bytes = 0;
  for (const carried of events) {
    const run = runs.at(-1);
    const size = appendBytes([carried.event]);
    bytes += size;
    const previous = run?.at(-1)?.event.revision;
    if (
      run &&
      previous === carried.event.revision - 1 &&
      run.length < limits.appendEventsMax &&
      bytes <= limits.appendBytesMax
    ) {
      run.push(carried);
    } else {
      runs.push([carried]);
      bytes = size;
    }
  }
  return runs;
}

function first(run: readonly CarriedEvent[]): CarriedEvent {
  const [carried] = run;
  if (!carried) throw new Error('a run holds at least one event');
  return carried;
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
  run: readonly CarriedEvent[],
  stored: readonly StoredEvent[],
): WriteRefused | undefined {
  for (const [index, there] of stored.entries()) {
    const carried = run[index];
    if (!carried || eventHash(there) === carried.hash) continue;
    const { event, at } = carried;
    const field = compared.find((name) => there[name] !== event[name]) ?? 'metadata';
    const detail = `${event.stream}@${event.revision}: the log has another ${field}`;
    return { reason: 'log-differs', at, detail };
  }
  return undefined;
}

function elsewhere({ event, at }: CarriedEvent): WriteRefused {
  const detail = `${event.stream}@${event.revision}: the log has event ${event.id} at another revision`;
  return { reason: 'log-differs', at, detail };
}

function missingEvents({ event, at }: CarriedEvent, head: Revision | 'no-stream'): WriteRefused {
  const there = head === 'no-stream' ? 'does not have it' : `has it up to revision ${head}`;
  const detail = `${event.stream} goes on at revision ${event.revision}, and the log ${there}`;
  return { reason: 'missing-events', at, detail };
}

function appendFailed({ event, at }: CarriedEvent, detail: string): WriteRefused {
  const where = `${event.stream}@${event.revision}`;
  return { reason: 'append-failed', at, detail: `${where}: ${detail}` };
}
