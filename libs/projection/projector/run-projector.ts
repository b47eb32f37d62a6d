import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { decideAndAppend, readControl } from '../generations/control-stream.ts';
import { decideFirst, hasNone, nextGeneration } from '../generations/decide.ts';
import type { GenerationDirectory } from '../generations/directory.ts';
import { finishBuilding, makeGeneration } from '../generations/make-generation.ts';
import {
  type Generation,
  isFollowed,
  liveGeneration,
  type ProjectionState,
} from '../generations/state.ts';
import { mismatchText } from '../generations/version-mismatch.ts';
import type { Projection } from '../projection.ts';
import type { ProjectionStore } from '../store.ts';
import { messageOf, type Observe, type ShareStatus } from './share-status.ts';
import { projectorLimits } from './share-work.ts';
import { ShareWorker } from './share-worker.ts';

export interface ProjectorOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly projections: readonly Projection[];
  readonly storeFor: (projection: Projection) => ProjectionStore;
  readonly directory: GenerationDirectory;
  readonly clock: Clock;
  /** Who holds the leases: another name for each process, also after a restart. */
  readonly holder: string;
  readonly signal: AbortSignal;
  readonly observe?: Observe;
  /** A generation that is live was made by other code and is left alone: told once each time that one becomes live. */
  readonly onLeftAlone?: (projection: string, detail: string) => void;
  /** Shares of the first generation of a projection; 1 unless told. */
  readonly workersOfFirst?: (projection: Projection) => number;
}

export type GenerationStatus = {
  readonly projection: string;
  readonly generation: number;
  readonly isLive: boolean;
} & (
  | { readonly kind: 'followed'; readonly shares: readonly ShareStatus[] }
  /** A rebuild fills it, or will go on to. */
  | { readonly kind: 'building' }
  /** A point in time: it stays as it is. */
  | { readonly kind: 'frozen' }
  /** Made by another version of the projection's code. */
  | {
      readonly kind: 'version-mismatch';
      readonly version: number;
      readonly codeVersion: number;
      readonly workers: number;
    }
);

export interface Projector {
  /** Resolves when everything has stopped after the signal. Rejects when the directory cannot go on. */
  readonly done: Promise<void>;
  /** Every generation that is not dropped, of every projection. */
  status(): readonly GenerationStatus[];
}

/**
 * Keeps every generation of every projection up to date, but for dropped ones, unfinished rebuilds and
 * points in time. A projection the log knows nothing of gets its first generation, live at once.
 * Several projectors may run: leases make one work on each share, the others wait to take over.
 */
export function runProjector(options: ProjectorOptions): Projector {
  const runs = options.projections.map((projection) => new ProjectionRun(options, projection));
  const done = Promise.all(runs.map((run) => run.run())).then(() => undefined);
  return { done, status: () => runs.flatMap((run) => run.status()) };
}

/** All followed generations of one projection. */
class ProjectionRun {
  readonly #options: ProjectorOptions;
  readonly #projection: Projection;
  readonly #store: ProjectionStore;
  readonly #followed = new Map<number, FollowedGeneration>();
  /** The live generation that was told to be left alone. */
  #toldOf: number | undefined;

  constructor(options: ProjectorOptions, projection: Projection) {
    this.#options = options;
    this.#projection = projection;
    this.#store = options.storeFor(projection);
  }

  status(): readonly GenerationStatus[] {
    const state = this.#options.directory.state(this.#projection.name);
    const live = liveGeneration(state);
    return [...state.generations.values()]
      .filter((one) => !one.dropped)
      .map((one) => {
        const { generation } = one;
        const named = { projection: state.projection, generation, isLive: generation === live };
        return { ...named, ...this.#kindOf(one) };
      });
  }

  #kindOf(one: Generation) {
    const codeVersion = this.#projection.version;
    if (one.version !== codeVersion) {
      const { version, workers } = one;
      return { kind: 'version-mismatch', version, codeVersion, workers } as const;
    }
    if (one.until) return { kind: 'frozen' } as const;
    if (!one.rebuilt) return { kind: 'building' } as const;
    const shares = this.#followed.get(one.generation)?.status() ?? [];
    return { kind: 'followed', shares } as const;
  }

  async run(): Promise<void> {
    const { directory, signal } = this.#options;
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await directory.ready().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    await this.#ensureFirst();
    const unlisten = directory.onChange((name) => {
      if (name === this.#projection.name) this.#reconcile();
    });
    this.#reconcile();
    await stopped;
    unlisten();
    await Promise.all([...this.#followed.values()].map((one) => one.stop()));
  }

  /** Tries until the projection has a generation, its own or one another process made. */
  async #ensureFirst(): Promise<void> {
    const { log, clock, signal, holder, workersOfFirst, observe } = this.#options;
    const maker = { store: this.#store, projection: this.#projection, clock, holder };
    const { name, version } = this.#projection;
    let backoffMs: number = projectorLimits.backoffMsMin;
    while (!signal.aborted) {
      try {
        const { state } = await readControl(log, name);
        if (!hasNone(state)) return;
        const workers = workersOfFirst?.(this.#projection) ?? 1;
        const { generation, id } = await makeGeneration(maker, nextGeneration(state), workers);
        // Where the log has events, readers wait until the first fill has caught up: see ShareSession.
        if (!(await this.#logHasEvents())) await finishBuilding(this.#store, generation);
        const spec = { generation, id, version, workers, until: undefined, createdBy: holder };
        await decideAndAppend(this.#options, name, (now) => decideFirst(now, spec));
        return;
      } catch (error) {
        observe?.({ kind: 'trouble', status: this.#failing(error), error });
        await clock.sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, projectorLimits.backoffMsMax);
      }
    }
  }

  async #logHasEvents(): Promise<boolean> {
    const { categories } = this.#projection;
    const page = await this.#options.log.read('start', { categories }, { limit: 1 });
    return page.events.length > 0;
  }

  #failing(error: unknown): ShareStatus {
    const { status } = new ShareWorker(
      this.#workOf({ generation: 1, id: '', workers: 1 }, 0, this.#options.signal),
    );
    return { ...status, state: 'failing', detail: messageOf(error), errors: 1 };
  }

  /** Begins to follow what is to be followed, and stops what is not any more. */
  #reconcile(): void {
    const { directory, signal } = this.#options;
    if (signal.aborted) return;
    const state = directory.state(this.#projection.name);
    for (const one of state.generations.values()) {
      const followed = this.#followed.get(one.generation);
      const wanted = isFollowed(one) && one.version === this.#projection.version;
      if (wanted && !followed) {
        const begun = new FollowedGeneration(one.workers, (worker, stop) =>
          this.#workOf(one, worker, stop),
        );
        this.#followed.set(one.generation, begun);
      }
      if (!wanted && followed) void followed.stop();
    }
    this.#tellOfMismatch(state);
  }

  #tellOfMismatch(state: ProjectionState): void {
    const { name: projection, version: codeVersion } = this.#projection;
    const live = state.generations.get(liveGeneration(state) ?? 0);
    if (!live || live.version === codeVersion) {
      this.#toldOf = undefined;
      return;
    }
    if (this.#toldOf === live.generation) return;
    this.#toldOf = live.generation;
    const text = mismatchText({ projection, version: live.version, codeVersion });
    const detail = `g${live.generation} is live and not followed: ${text}`;
    this.#options.onLeftAlone?.(projection, detail);
  }

  #workOf(
    { generation, id, workers }: Pick<Generation, 'generation' | 'id' | 'workers'>,
    worker: number,
    signal: AbortSignal,
  ) {
    const { log, cipher, clock, holder, observe, directory } = this.#options;
    const projection = this.#projection;
    return {
      log,
      cipher,
      projection,
      store: this.#store,
      generation,
      id,
      worker,
      workers,
      holder,
      clock,
      signal,
      observe,
      control: () => directory.state(projection.name),
      onControlChange: (listener: () => void) =>
        directory.onChange((name) => {
          if (name === projection.name) listener();
        }),
      onFailure: projection.onFailure,
      mode: 'follow',
    } as const;
  }
}

/** The workers of one generation, under a stop of their own. */
class FollowedGeneration {
  readonly #abort = new AbortController();
  readonly #workers: readonly ShareWorker[];
  readonly #ended: Promise<unknown>;

  constructor(
    workers: number,
    workOf: (worker: number, signal: AbortSignal) => ConstructorParameters<typeof ShareWorker>[0],
  ) {
    this.#workers = Array.from({ length: workers }, (_, worker) => {
      return new ShareWorker(workOf(worker, this.#abort.signal));
    });
    this.#ended = Promise.all(this.#workers.map((worker) => worker.run()));
  }

  status(): readonly ShareStatus[] {
    return this.#workers.map((worker) => worker.status);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }
}
