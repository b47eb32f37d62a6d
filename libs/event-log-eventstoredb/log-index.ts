import { judgeAppend } from '@annals/event-log';
import { EventLogError, type Expected, type Revision } from '@annals/event-log/port';
import type { Replica, ReplicaEvent, WrittenResult } from '@annals/event-log-sqlite/replica';
import { z } from 'zod';
import type { FollowedEvent } from './event-envelope.ts';
import { FollowError } from './follow-error.ts';
import { ownStream } from './own-stream.ts';

const progressFormat = z.object({
  /** One of an older program does not know the names of foreign streams, and is made anew. */
  format: z.literal(2),
  /** The part of the database that is followed. */
  prefix: z.string(),
  /** Where the subscription goes on: all before it has been looked at. -1 at the beginning. */
  place: z.int(),
  /** The last event that was stored: it must still be there. */
  last: z.object({ place: z.int(), id: z.string() }).optional(),
  /** The latest stamp: milliseconds since 1970. */
  stamp: z.int(),
  events: z.int(),
  /** Events that are not of this log: skipped. */
  foreign: z.int(),
});
export type IndexProgress = z.infer<typeof progressFormat>;

/** What the index says of an append. */
export type Looked =
  /** None of its ids is known, and the stream is as expected: it may be sent. */
  | { readonly kind: 'new'; readonly head: Revision | 'no-stream' }
  /** Others began the stream. */
  | { readonly kind: 'foreign' }
  | Exclude<WrittenResult, { kind: 'refused' }>;

const notStored = { kind: 'ignored' } as const;

/**
 * The events of the log in a replica, by stream, id and position. It knows no server: the feed and tests hand it
 * events in the order of `$all`. One that has thrown FollowError is not used any more.
 */
export class LogIndex {
  readonly #replica: Replica;
  readonly #prefix: string;
  #progress: IndexProgress;

  constructor(replica: Replica, prefix: string) {
    this.#replica = replica;
    this.#prefix = prefix;
    const kept = replica.progress();
    this.#progress =
      kept === undefined
        ? { format: 2, prefix, place: -1, stamp: 0, events: 0, foreign: 0 }
        : progressOf(kept);
    if (this.#progress.prefix !== prefix) {
      throw new FollowError(
        'other-database',
        `the index follows the streams of ${JSON.stringify(this.#progress.prefix)}, not of ${JSON.stringify(prefix)}: ` +
          'give this log a folder of its own',
      );
    }
  }

  get progress(): IndexProgress {
    return this.#progress;
  }

  /** What the index knows of `events` in `stream`, without storing anything. */
  look(stream: string, events: readonly ReplicaEvent[], expected: Expected): Looked {
    let head: Revision | 'no-stream' = 'no-stream';
    const result = this.#replica.transaction(() =>
      this.#replica.append({ stream, expected, events }, 0, (view, of, expecting) => {
        head = view.head;
        const verdict = judgeAppend(view, of, expecting);
        return verdict.kind === 'accept' ? notStored : verdict;
      }),
    );
    if (result.kind === 'ignored') {
      return head === 'no-stream' && this.#isForeign(stream)
        ? { kind: 'foreign' }
        : { kind: 'new', head };
    }
    if (result.kind === 'refused') throw new EventLogError('io', result.detail);
    return result;
  }

  /** Stores events in one transaction; those that it has already are left out. Throws FollowError. */
  apply(followed: readonly FollowedEvent[]): void {
    const before = this.#progress;
    try {
      this.#replica.transaction(() => {
        for (const one of followed) if (one.place > this.#progress.place) this.#applyOne(one);
        this.#replica.keepProgress(JSON.stringify(this.#progress));
      });
    } catch (error) {
      this.#progress = before;
      throw error;
    }
  }

  /** The server has looked at everything up to `place`, and nothing more of it is ours. */
  passed(place: number): void {
    if (place <= this.#progress.place) return;
    this.#progress = { ...this.#progress, place };
    this.#replica.transaction(() => this.#replica.keepProgress(JSON.stringify(this.#progress)));
  }

  #applyOne(followed: FollowedEvent): void {
    const { stream, revision, place, id, ours } = followed;
    const at = `revision ${revision} of ${stream}`;
    const own = ownStream(this.#prefix, stream);
    if (own === undefined || !ours) {
      if (own !== undefined) this.#isAnothers(own, followed, at);
      this.#skipped(place);
      return;
    }
    const stamp = Math.max(this.#progress.stamp, ours.stampedAt);
    const event = { ...ours.event, recordedAt: ours.event.recordedAt ?? stamp };
    const result = this.#replica.append(
      { stream: own, expected: 'any', events: [event] },
      place,
      (view, events, expected) => {
        const next = view.head === 'no-stream' ? 0 : view.head + 1;
        if (view.known(id)) return judgeAppend(view, events, expected);
        if (next === revision) return { kind: 'accept', firstRevision: revision };
        // Deleted by those who began it, it took an append of a process that had not read of them yet.
        if (view.head === 'no-stream' && this.#isForeign(own)) return notStored;
        throw new FollowError(
          'gap',
          `${at} came where revision ${next} must come: events were removed from the server`,
        );
      },
    );
    if (result.kind === 'ignored') {
      this.#skipped(place);
      return;
    }
    if (result.kind !== 'written' || result.duplicate) {
      throw new FollowError('stored-twice', `${at} has the id ${id}, which its stream has already`);
    }
    const events = this.#progress.events + 1;
    this.#progress = { ...this.#progress, place, last: { place, id }, stamp, events };
  }

  #skipped(place: number): void {
    this.#progress = { ...this.#progress, place, foreign: this.#progress.foreign + 1 };
  }

  /** Streams of others do no harm; a stream of ours with an event of others in it cannot be told any more. */
  #isAnothers(stream: string, { newerFormat, place }: FollowedEvent, at: string): void {
    if (this.#isForeign(stream)) return;
    if (newerFormat !== undefined) {
      throw new FollowError(
        'newer-event',
        `${at} is of format ${newerFormat}, which this program does not know: use a newer program`,
      );
    }
    if (this.#headOf(stream) !== 'no-stream') {
      throw new FollowError(
        'foreign-event',
        `${at} was not written by a log of ours, and the stream is: let nothing else write to streams of this log, and ` +
          'bring the database back to before that',
      );
    }
    // The server says nothing of a stream that is deleted, and goes on behind its last revision.
    this.#replica.mark({ key: Buffer.from(stream), place });
  }

  #isForeign(stream: string): boolean {
    return this.#replica.isMarked(Buffer.from(stream));
  }

  #headOf(stream: string): Revision | 'no-stream' {
    let head: Revision | 'no-stream' = 'no-stream';
    this.#replica.append({ stream, expected: 'any', events: [] }, 0, (view) => {
      head = view.head;
      return notStored;
    });
    return head;
  }
}

/** Throws EventLogError `corrupt`: the index is then made again. */
function progressOf(state: string): IndexProgress {
  try {
    return progressFormat.parse(JSON.parse(state));
  } catch (cause) {
    const message = 'the index does not say how far it came, or an older program made it';
    throw new EventLogError('corrupt', message, { cause });
  }
}
