import { partitionsOf } from '@annals/event-log';
import type { Projection } from '../projection.ts';
import { generationSpec } from '../shares.ts';
import type { GenerationSpec, ProjectionStore } from '../store.ts';

const attemptsMax = 100;

/**
 * Makes an empty generation in the store, before the log tells of it, so that a generation the log
 * knows and the store does not is surely lost. Returns its number: `first`, or a later one where the
 * store holds something under that name that the log knows nothing of and that is not ours to use.
 */
export async function makeGeneration(
  store: ProjectionStore,
  projection: Projection,
  first: number,
  workers: number,
): Promise<number> {
  for (let generation = first; generation < first + attemptsMax; generation += 1) {
    const spec = generationSpec(projection, generation, workers);
    if ((await store.create(spec)) === 'created') return generation;
    if (await isUnused(store, spec)) return generation;
  }
  throw new Error(`${projection.name}: ${attemptsMax} generations the log knows nothing of`);
}

/** Left over from a process that died between the store and the log. */
async function isUnused(store: ProjectionStore, spec: GenerationSpec): Promise<boolean> {
  const opened = await store.open(spec.generation);
  if (opened === 'lost') return false;
  try {
    const { version, workers, tables } = opened.spec;
    const isSame =
      version === spec.version &&
      workers === spec.workers &&
      JSON.stringify(tables) === JSON.stringify(spec.tables);
    const checkpoints = await opened.workerCheckpoints();
    return isSame && checkpoints.every((one) => partitionsOf(one).length === 0);
  } finally {
    await opened.close();
  }
}

/** Readers may come: the store makes what it left out while it was filled. `lost` when it is not there. */
export async function finishBuilding(
  store: ProjectionStore,
  generation: number,
): Promise<'finished' | 'lost'> {
  const opened = await store.open(generation);
  if (opened === 'lost') return 'lost';
  try {
    await opened.finishBuilding?.();
    return 'finished';
  } finally {
    await opened.close();
  }
}
