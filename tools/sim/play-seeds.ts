import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Outcome } from './outcome.ts';
import { products, type Simulate } from './products.ts';

export interface SeedsToPlay {
  readonly product: string;
  readonly first: number;
  readonly count: number;
  /** At most so many threads; with one nothing is started, and all is played here. */
  readonly threads: number;
}

export interface PlayedSeeds {
  /** Of the seeds that were played. */
  readonly events: number;
  /** The last one. */
  readonly last: Outcome | undefined;
  /** The lowest seed that broke a promise. */
  readonly broken: Outcome | undefined;
}

/** Plays seeds in their order until one breaks a promise: which one is told does not depend on how many threads play. */
export async function playSeeds({
  product,
  first,
  count,
  threads,
}: SeedsToPlay): Promise<PlayedSeeds> {
  const outcomes: Outcome[] = [];
  let next = first;
  const playAll = async (play: (seed: number) => Promise<Outcome>) => {
    // A seed that is lower than a broken one is under way with somebody else, or played.
    while (next < first + count && !outcomes.some(({ failure }) => failure)) {
      const seed = next;
      next += 1;
      outcomes.push(await play(seed));
    }
  };
  if (threads === 1 || count === 1) await playAll(await simulationOf(product));
  else {
    const workers = Array.from({ length: Math.min(threads, count) }, () => threadOf(product));
    await Promise.all(workers.map(({ play }) => playAll(play)));
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
  }
  const played = outcomes.toSorted((one, other) => one.seed - other.seed);
  return {
    events: played.reduce((sum, { events }) => sum + events, 0),
    last: played.at(-1),
    broken: played.find(({ failure }) => failure),
  };
}

function simulationOf(product: string): Promise<Simulate> {
  const load = products[product];
  if (!load) throw new TypeError(`there is no product ${product} to simulate`);
  return load();
}

/** What goes wrong outside of a seed ends its thread: that seed is told of, as one that crashed. */
function threadOf(product: string): {
  readonly worker: Worker;
  readonly play: (seed: number) => Promise<Outcome>;
} {
  const worker = new Worker(join(import.meta.dirname, 'seed-worker.ts'), { workerData: product });
  const play = async (seed: number): Promise<Outcome> => {
    worker.postMessage(seed);
    try {
      const [outcome] = (await once(worker, 'message')) as [Outcome];
      return outcome;
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const failure = { invariant: 'no-crash', message };
      return { seed, digest: '', lines: 0, events: 0, failure, trace: [] };
    }
  };
  return { worker, play };
}
