import type { Clock, SubjectCipher } from '@annals/core';
import { advance, type Checkpoint, coversAll, type EventLog } from '@annals/event-log';
import {
  type Generation,
  type GenerationDirectory,
  type Projection,
  type ProjectionStore,
  purge,
} from '@annals/projection';
import { erasureCategory } from '@annals/subject-keys';
import type { PurgeNotes } from './purge-notes.ts';

export interface PurgeMeans {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly projections: readonly Projection[];
  readonly storeFor: (projection: Projection) => ProjectionStore;
  readonly directory: GenerationDirectory;
  /** Names this process in leases and in the log. */
  readonly holder: string;
  readonly signal: AbortSignal;
  /** What was purged already, also by an earlier process. */
  readonly notes: PurgeNotes;
  /** Removes rows that a process which was killed has left beside the generations. */
  readonly removeAbandoned: () => void;
  readonly onTrouble: (projection: string, detail: string) => void;
}

export const purgeLimits = {
  /** Between two looks at generations that have not passed an erasure yet: doubled each time. */
  pauseMsMin: 100,
  pauseMsMax: 5_000,
  /** A purge writes a whole file anew: this many times as long as it took, the next one waits. */
  restPerPurge: 5,
  /** A generation made this long after the last erasure cannot hold the data: its key was gone. */
  cleanAfterMs: 60_000,
  /** An unfinished rebuild that nobody has worked on for this long will not pass the erasure. */
  abandonedMs: 600_000,
} as const;

/**
 * Sees to it that no generation keeps bytes of people who were erased. One that has passed the last
 * erasure is purged; one that never will, because it is a point in time or an abandoned rebuild, is
 * dropped. Ends when `signal` is aborted. What fails is told and tried again.
 */
export async function purgeErased(means: PurgeMeans): Promise<void> {
  const purge = new Purge(means);
  const unlisten = means.directory.onChange(() => purge.lookAgain());
  await Promise.all([purge.follow(), purge.run()]).finally(unlisten);
}

class Purge {
  readonly #means: PurgeMeans;
  /** The last erasure in the log; what is purged up to it is done. */
  #erased: Checkpoint = {};
  #done: Checkpoint = {};
  /** When the last erasure was recorded: milliseconds since 1970. */
  #erasedAt = Number.NEGATIVE_INFINITY;
  #wake = new AbortController();
  /** Since when nobody has worked on an unfinished rebuild, by its name. */
  readonly #idleSince = new Map<string, number>();

  constructor(means: PurgeMeans) {
    this.#means = means;
    means.signal.addEventListener('abort', () => this.#wake.abort());
  }

  /** Learns of erasures. */
  async follow(): Promise<void> {
    const { log, clock, signal } = this.#means;
    let from: Checkpoint = {};
    while (!signal.aborted) {
      try {
        const deliveries = log.subscribe(from, { categories: [erasureCategory] }, { signal });
        for await (const delivery of deliveries) {
          from = delivery.checkpoint;
          if (delivery.kind === 'caught-up') this.#wake.abort();
          else {
            for (const { partition, position, recordedAt } of delivery.events) {
              this.#erased = advance(this.#erased, partition, position);
              this.#erasedAt = Math.max(this.#erasedAt, recordedAt);
            }
          }
        }
        // Ended without being told to: the log was closed.
        return;
      } catch (error) {
        this.#tell(error);
        await clock.sleep(purgeLimits.pauseMsMax, signal);
      }
    }
  }

  /** There are other generations than before. */
  lookAgain(): void {
    this.#done = {};
    this.#wake.abort();
  }

  /** Purges until all is done, and again after each erasure. */
  async run(): Promise<void> {
    const { clock, signal } = this.#means;
    let pauseMs: number = purgeLimits.pauseMsMin;
    while (!signal.aborted) {
      const erased = this.#erased;
      if (coversAll(this.#done, erased)) {
        pauseMs = purgeLimits.pauseMsMin;
        await this.#sleep(Number.MAX_SAFE_INTEGER);
        continue;
      }
      const since = clock.now();
      this.#done = erased;
      const isDone = await this.#purgeAll(erased).catch((error: unknown) => this.#tell(error));
      const tookMs = Math.max(0, clock.now() - since);
      if (!isDone) this.#done = {};
      // A purge keeps the projector from its work; erasures that come meanwhile share the next one.
      await clock.sleep(tookMs * purgeLimits.restPerPurge, signal);
      if (!isDone) await this.#sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, purgeLimits.pauseMsMax);
    }
  }

  /** Sleeps until told of an erasure, for `ms` at most. */
  async #sleep(ms: number): Promise<void> {
    const { clock, signal } = this.#means;
    if (signal.aborted) return;
    const timerMsMax = 2 ** 31 - 1;
    await clock.sleep(Math.min(ms, timerMsMax), this.#wake.signal);
    this.#wake = new AbortController();
  }

  #tell(error: unknown): false {
    this.#means.onTrouble('', `purging the data of erased people: ${String(error)}`);
    return false;
  }

  async #purgeAll(erased: Checkpoint): Promise<boolean> {
    const { directory, projections, signal, removeAbandoned } = this.#means;
    removeAbandoned();
    await directory.ready();
    let isDone = true;
    for (const projection of projections) {
      for (const one of directory.state(projection.name).generations.values()) {
        if (signal.aborted) return false;
        if (one.dropped || one.createdAt > this.#erasedAt + purgeLimits.cleanAfterMs) continue;
        if (!(await this.#purgeOne(projection, one.generation, erased))) isDone = false;
      }
    }
    return isDone;
  }

  /** Whether nothing is left to do for this generation. */
  async #purgeOne(
    projection: Projection,
    generation: number,
    erased: Checkpoint,
  ): Promise<boolean> {
    const { storeFor, onTrouble, notes } = this.#means;
    const name = `${projection.name}/g${generation}`;
    const noteOf = ({ id }: Generation) => `${name}/${id}`;
    const outcome = await purge({
      ...this.#means,
      ...{ projection, generation, erased },
      store: storeFor(projection),
      isAbandoned: (isWorkedOn) => this.#isAbandoned(name, isWorkedOn),
      isPurged: (of, checkpoint) => notes.isPurged(noteOf(of), { erased, checkpoint }),
    });
    switch (outcome.kind) {
      case 'purged': {
        const { of, checkpoint } = outcome;
        if (!notes.isPurged(noteOf(of), { erased, checkpoint })) {
          await notes.note(noteOf(of), { erased, checkpoint });
        }
        return true;
      }
      case 'live':
        onTrouble(
          projection.name,
          `${name} is of another version and may hold data of erased people: rebuild it`,
        );
        return false;
      case 'dropped':
      case 'lost':
        return true;
      case 'behind':
      case 'blocked':
        return false;
    }
  }

  #isAbandoned(name: string, isWorkedOn: boolean): boolean {
    if (isWorkedOn) {
      this.#idleSince.delete(name);
      return false;
    }
    const now = this.#means.clock.now();
    const since = this.#idleSince.get(name) ?? now;
    this.#idleSince.set(name, since);
    return now - since >= purgeLimits.abandonedMs;
  }
}
