import type { Clock } from '@annals/core';
import { type Checkpoint, EventDecodeError, type EventLog } from '@annals/event-log';
import { controlCategory, controlEventTypes, noPersonalData, projectionOf } from './events.ts';
import {
  emptyState,
  evolve,
  type Generation,
  liveGeneration,
  type ProjectionState,
} from './state.ts';

const backoffMsMin = 100;
const backoffMsMax = 5_000;

/** Which generations every projection has and which one is live, as far as this process has read the log. */
export interface GenerationDirectory {
  /** Resolves once all that was in the log has been read. Rejects when it was stopped before, or cannot go on. */
  ready(): Promise<void>;
  /** The state of a projection; empty when the log says nothing of it. */
  state(projection: string): ProjectionState;
  live(projection: string): Generation | undefined;
  /** Calls `listener` after each change of a projection's state, until the function returned is called. */
  onChange(listener: (projection: string) => void): () => void;
  /** Why it no longer follows the log: an event of a newer program. Undefined while all is well. */
  failure(): EventDecodeError | undefined;
}

export interface DirectoryOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Told of read errors; it tries again by itself. */
  readonly onError?: (error: unknown) => void;
}

/** Follows the control streams of all projections until `signal` is aborted. */
export function generationDirectory(log: EventLog, options: DirectoryOptions): GenerationDirectory {
  const directory = new Directory();
  void follow(log, directory, options);
  return directory;
}

async function follow(
  log: EventLog,
  directory: Directory,
  { signal, clock, onError }: DirectoryOptions,
): Promise<void> {
  let checkpoint: Checkpoint = {};
  let backoffMs = backoffMsMin;
  while (!signal.aborted) {
    try {
      const filter = { categories: [controlCategory] };
      for await (const delivery of log.subscribe(checkpoint, filter, { signal })) {
        if (delivery.kind === 'caught-up') directory.caughtUp();
        else await directory.take(delivery.events);
        checkpoint = delivery.checkpoint;
        backoffMs = backoffMsMin;
      }
      // Ended without being told to: the log was closed.
      break;
    } catch (error) {
      onError?.(error);
      if (error instanceof EventDecodeError) {
        directory.fail(error);
        return;
      }
      await clock.sleep(backoffMs, signal);
      backoffMs = Math.min(backoffMs * 2, backoffMsMax);
    }
  }
  directory.stopped();
}

class Directory implements GenerationDirectory {
  readonly #states = new Map<string, ProjectionState>();
  readonly #listeners = new Set<(projection: string) => void>();
  readonly #ready = Promise.withResolvers<void>();
  #failure: EventDecodeError | undefined;

  constructor() {
    // Nobody may be waiting for it; those who are get the rejection all the same.
    this.#ready.promise.catch(() => undefined);
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  state(projection: string): ProjectionState {
    return this.#states.get(projection) ?? emptyState(projection);
  }

  live(projection: string): Generation | undefined {
    const state = this.state(projection);
    const live = liveGeneration(state);
    return live === undefined ? undefined : state.generations.get(live);
  }

  onChange(listener: (projection: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  failure(): EventDecodeError | undefined {
    return this.#failure;
  }

  async take(stored: Parameters<typeof controlEventTypes.decode>[0]): Promise<void> {
    const changed = new Set<string>();
    for (const event of await controlEventTypes.decode(stored, noPersonalData)) {
      const projection = projectionOf(event.stream);
      const state = this.state(projection);
      // A delivery may come again: it is not folded again.
      if (event.revision <= state.revision) continue;
      this.#states.set(projection, evolve(state, event));
      changed.add(projection);
    }
    for (const projection of changed) for (const listener of this.#listeners) listener(projection);
  }

  caughtUp(): void {
    this.#ready.resolve();
  }

  fail(error: EventDecodeError): void {
    this.#failure = error;
    this.#ready.reject(error);
  }

  stopped(): void {
    this.#ready.reject(new Error('the directory was stopped before it had read the log'));
  }
}
