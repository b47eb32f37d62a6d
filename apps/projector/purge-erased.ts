import type { Clock, SubjectCipher } from '@annals/core';
import { advance, type Checkpoint, coversAll, type EventLog } from '@annals/event-log';
import {
  drop,
  type Generation,
  type GenerationDirectory,
  type GenerationStore,
  isFollowed,
  liveGeneration,
  type Projection,
  type ProjectionStore,
  projectorLimits,
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
      const state = directory.state(projection.name);
      const live = liveGeneration(state);
      for (const one of state.generations.values()) {
        if (signal.aborted) return false;
        if (one.dropped || one.createdAt > this.#erasedAt + purgeLimits.cleanAfterMs) continue;
        const isLive = one.generation === live;
        if (!(await this.#purgeOne(projection, one, isLive, erased))) isDone = false;
      }
    }
    return isDone;
  }

  /** Whether nothing is left to do for this generation. */
  async #purgeOne(
    projection: Projection,
    one: Generation,
    isLive: boolean,
    erased: Checkpoint,
  ): Promise<boolean> {
    const { storeFor, onTrouble } = this.#means;
    const { generation, version } = one;
    const store = storeFor(projection);
    const name = `${projection.name}/g${generation}`;
    if (isFollowed(one) && version === projection.version) {
      return this.#purgeFollowed(store, generation, name, erased);
    }
    if (isLive) {
      const detail = `${name} is of another version and may hold data of erased people: rebuild it`;
      onTrouble(projection.name, detail);
      return false;
    }
    if (!one.rebuilt && !(await this.#isAbandoned(store, generation, name))) return false;
    const outcome = await drop({ ...this.#means, projection, store, generation });
    return outcome.kind === 'dropped';
  }

  async #purgeFollowed(
    store: ProjectionStore,
    generation: number,
    name: string,
    erased: Checkpoint,
  ): Promise<boolean> {
    const { notes } = this.#means;
    const opened = await store.open(generation);
    if (opened === 'lost') return true;
    try {
      const checkpoint = await opened.checkpoint();
      if (notes.isPurged(name, { erased, checkpoint })) return true;
      if (!coversAll(checkpoint, erased)) return false;
      if ((await opened.purge?.()) === 'blocked') return false;
      await notes.note(name, { erased, checkpoint });
      return true;
    } finally {
      await opened.close();
    }
  }

  async #isAbandoned(store: ProjectionStore, generation: number, name: string): Promise<boolean> {
    const { clock, holder } = this.#means;
    const opened = await store.open(generation);
    if (opened === 'lost') return true;
    const isIdle = await withoutLeases(opened, holder, clock).finally(() => opened.close());
    if (!isIdle) {
      this.#idleSince.delete(name);
      return false;
    }
    const since = this.#idleSince.get(name) ?? clock.now();
    this.#idleSince.set(name, since);
    return clock.now() - since >= purgeLimits.abandonedMs;
  }
}

/**
 * Whether nobody works on a generation: no share of it is leased. Asked with the length of every other
 * lease: one that runs for longer than that counts as given before a clock was set back.
 */
async function withoutLeases(
  opened: GenerationStore,
  holder: string,
  clock: Clock,
): Promise<boolean> {
  for (let worker = 0; worker < opened.spec.workers; worker += 1) {
    const lease = await opened.acquire(worker, holder, clock.now(), projectorLimits.leaseTtlMs);
    if (lease.kind === 'busy') return false;
    await opened.release(worker, lease.epoch);
  }
  return true;
}
