import { type Clock, idFromKey } from '@annals/core';
import { decodeCheckpoint, encodeCheckpoint } from '../checkpoint.ts';
import { eventHash } from '../log-hash.ts';
import { isPassing } from '../passing-refusal.ts';
import type { Checkpoint, EventLog, StoredEvent } from '../port.ts';
import { categoryOf } from '../stream-name.ts';
import {
  digestCategory,
  digestEvents,
  digestStream,
  type LogDigest,
  logDigested,
  noSubjects,
} from './events.ts';
import { type DigestKey, rangeHash, signDigest } from './signing.ts';

export const digestLimits = {
  /** Events in one digest, unless told. */
  everyEvents: 1_000,
  everyEventsMax: 1_000,
  /** Of the names in one digest, as JSON: it ends early, so that it fits in an event. */
  namesBytesMax: 120_000,
  retryAfterMs: 500,
} as const;

export interface DigestKeeperOptions {
  readonly log: EventLog;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly key: DigestKey;
  readonly everyEvents?: number;
}

interface Range {
  from: number;
  to: number;
  hashes: string[];
}

/** What the next digest is about, as far as it was read. */
class Pending {
  readonly ranges = new Map<string, Range>();
  events = 0;
  namesBytes = 0;
  recordedFrom = Number.POSITIVE_INFINITY;
  recordedTo = Number.NEGATIVE_INFINITY;

  add(event: StoredEvent): void {
    const { stream, revision, recordedAt } = event;
    const hash = eventHash(event);
    const range = this.ranges.get(stream);
    if (range) {
      range.to = revision;
      range.hashes.push(hash);
    } else {
      this.ranges.set(stream, { from: revision, to: revision, hashes: [hash] });
      this.namesBytes += Buffer.byteLength(JSON.stringify(stream));
    }
    this.events += 1;
    this.recordedFrom = Math.min(this.recordedFrom, recordedAt);
    this.recordedTo = Math.max(this.recordedTo, recordedAt);
  }
}

/**
 * Follows a log and signs what it holds: after every so many events one digest, in a stream of its own. A change of any
 * signed event shows when the log is verified, also to somebody who has no more than the public key. Several keepers
 * may run: the stream's revision lets one of them write each digest.
 */
export class DigestKeeper {
  readonly #options: DigestKeeperOptions;
  readonly #everyEvents: number;

  constructor(options: DigestKeeperOptions) {
    const { everyEvents = digestLimits.everyEvents } = options;
    const isWhole = Number.isInteger(everyEvents) && everyEvents >= 1;
    if (!isWhole || everyEvents > digestLimits.everyEventsMax) {
      throw new RangeError(`a digest is about 1 to ${digestLimits.everyEventsMax} events`);
    }
    this.#options = options;
    this.#everyEvents = everyEvents;
  }

  /** Until the signal is aborted, or, with `once`, until all that is there was read. */
  async run(signal: AbortSignal, { once = false } = {}): Promise<void> {
    while (!signal.aborted) {
      if ((await this.#follow(signal, once)) === 'ended') return;
      await this.#options.clock.sleep(digestLimits.retryAfterMs, signal);
    }
  }

  /** `superseded`: another keeper has written the digest that was next; begin anew behind it. */
  async #follow(signal: AbortSignal, once: boolean): Promise<'ended' | 'superseded'> {
    const { log } = this.#options;
    let last = await lastDigest(log);
    const start = await placeAfter(log, last);
    let pending = new Pending();
    let checkpoint = start.checkpoint;
    for await (const delivery of log.subscribe(checkpoint, {}, { signal })) {
      if (delivery.kind === 'caught-up') {
        if (once) break;
        continue;
      }
      for (const event of delivery.events) {
        checkpoint = { ...checkpoint, [event.partition]: event.position };
        const isSigned = event.revision <= (start.signed?.get(event.stream) ?? -1);
        if (isSigned || categoryOf(event.stream) === digestCategory) continue;
        pending.add(event);
        const isFull = pending.namesBytes >= digestLimits.namesBytesMax;
        if (pending.events < this.#everyEvents && !isFull) continue;
        const digest = this.#digestOf(pending, last, event, checkpoint);
        if (!(await this.#append(digest, signal))) return signal.aborted ? 'ended' : 'superseded';
        last = digest;
        pending = new Pending();
      }
    }
    return 'ended';
  }

  #digestOf(
    { ranges, events, recordedFrom, recordedTo }: Pending,
    last: LogDigest | undefined,
    { stream, revision, partition, position }: StoredEvent,
    checkpoint: Checkpoint,
  ): LogDigest {
    const { key } = this.#options;
    const unsigned = {
      number: (last?.number ?? 0) + 1,
      events,
      recorded_from: recordedFrom,
      recorded_to: recordedTo,
      ranges: [...ranges]
        .map(([name, { from, to, hashes }]) => ({
          stream: name,
          from,
          to,
          hash: rangeHash(hashes),
        }))
        .toSorted((a, b) => (a.stream < b.stream ? -1 : 1)),
      previous: last?.signature ?? '',
      public_key: key.publicKey,
    };
    const at = { stream, revision, partition, position };
    const place = { checkpoint: encodeCheckpoint(checkpoint), ...at };
    return { ...unsigned, signature: signDigest(unsigned, key), place };
  }

  /** False where another keeper was first, or the signal was aborted. */
  async #append(digest: LogDigest, signal: AbortSignal): Promise<boolean> {
    const { log, clock } = this.#options;
    const { number } = digest;
    const id = idFromKey(logDigested.name, String(number));
    const event = { type: logDigested.name, id, occurredAt: clock.now(), data: digest };
    const encoded = await digestEvents.encode([event], noSubjects);
    if (encoded.kind !== 'encoded') throw new TypeError('a digest names a subject');
    const expected = number === 1 ? 'no-stream' : number - 2;
    while (!signal.aborted) {
      const result = await log.append(digestStream, encoded.events, { expected });
      if (result.kind === 'stored') return true;
      const passes =
        result.kind === 'unknown' || (result.kind === 'refused' && isPassing(result.reason));
      if (result.kind === 'refused' && !passes) {
        throw new Error(`the log refused a digest: ${result.detail}`);
      }
      if (!passes) return false;
      await clock.sleep(digestLimits.retryAfterMs, signal);
    }
    return false;
  }
}

async function lastDigest(log: Pick<EventLog, 'readStream'>): Promise<LogDigest | undefined> {
  const { events } = await log.readStream(digestStream, { direction: 'backward', limit: 1 });
  const [last] = await digestEvents.decode(events, noSubjects);
  return last?.data;
}

interface Start {
  readonly checkpoint: Checkpoint;
  /** The last revision of each stream that is signed, where the log has to be read from its beginning. */
  readonly signed?: ReadonlyMap<string, number>;
}

/** In the log that a digest was written in, right behind it; in a copy of that log, the beginning. */
async function placeAfter(log: EventLog, last: LogDigest | undefined): Promise<Start> {
  if (!last) return { checkpoint: {} };
  const { stream, revision, partition, position, checkpoint } = last.place;
  const { events } = await log.readStream(stream, { from: revision, limit: 1 });
  const [there] = events;
  const isHere = there?.partition === partition && there.position === position;
  const at = isHere ? decodeCheckpoint(checkpoint) : undefined;
  return at ? { checkpoint: at } : { checkpoint: {}, signed: await signedRevisions(log) };
}

async function signedRevisions(log: EventLog): Promise<ReadonlyMap<string, number>> {
  const signed = new Map<string, number>();
  for await (const digest of digestsOf(log)) {
    for (const { stream, to } of digest.ranges) signed.set(stream, to);
  }
  return signed;
}

/** All digests of a log, in their order. */
export async function* digestsOf(log: Pick<EventLog, 'readStream'>): AsyncGenerator<LogDigest> {
  for (let from = 0; ; ) {
    const page = await log.readStream(digestStream, { from, limit: 50 });
    if (page.events.length === 0) return;
    for (const { data } of await digestEvents.decode(page.events, noSubjects)) yield data;
    from += page.events.length;
  }
}
