import { type Clock, idFromKey } from '@annals/core';
import { partitionsOf } from '@annals/event-log';
import type { Projection } from '../projection.ts';
import { generationSpec } from '../shares.ts';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '../store.ts';
import type { Generation } from './state.ts';

const attemptsMax = 100;

/** Who makes a generation, and when: no two logs have a generation that was made alike. */
export interface Maker {
  readonly store: ProjectionStore;
  readonly projection: Projection;
  readonly clock: Clock;
  /** Another name for each process, also after a restart. */
  readonly holder: string;
}

/**
 * Makes an empty generation in the store, before the log tells of it, so that a generation the log
 * knows and the store does not is surely lost. Returns its number: `first`, or a later one where the
 * store holds something under that name that the log knows nothing of and that is not ours to use.
 */
export async function makeGeneration(
  { store, projection, clock, holder }: Maker,
  first: number,
  workers: number,
): Promise<Pick<Generation, 'generation' | 'id'>> {
  const { name } = projection;
  for (let generation = first; generation < first + attemptsMax; generation += 1) {
    const id = idFromKey('generation', name, String(generation), holder, String(clock.now()));
    const spec = generationSpec(projection, { generation, id, workers });
    if ((await store.create(spec)) === 'created') return spec;
    const unused = await unusedLike(store, spec);
    if (unused) return unused;
  }
  throw new Error(`${name}: ${attemptsMax} generations the log knows nothing of`);
}

/** Left over from a process that died between the store and the log: it keeps its own id. */
async function unusedLike(
  store: ProjectionStore,
  spec: GenerationSpec,
): Promise<GenerationSpec | undefined> {
  const opened = await store.open(spec.generation);
  if (opened === 'lost') return undefined;
  try {
    const { version, workers, tables } = opened.spec;
    const isSame =
      version === spec.version &&
      workers === spec.workers &&
      JSON.stringify(tables) === JSON.stringify(spec.tables);
    const shares = await opened.shares();
    const isUnused = isSame && shares.every((one) => partitionsOf(one.checkpoint).length === 0);
    return isUnused ? opened.spec : undefined;
  } finally {
    await opened.close();
  }
}

/** A generation that the log tells of, as the store has it. */
export type OpenedGeneration =
  | { readonly kind: 'open'; readonly opened: GenerationStore }
  /** `detail`: why it must not be used, as a sentence. */
  | { readonly kind: 'lost'; readonly detail: string };

/** Opens a generation that the log tells of. What the store has of another log is as good as lost. */
export async function openGeneration(
  store: ProjectionStore,
  projection: string,
  { generation, id }: Pick<Generation, 'generation' | 'id'>,
): Promise<OpenedGeneration> {
  const name = `${projection} g${generation}`;
  const opened = await store.open(generation);
  if (opened === 'lost') return { kind: 'lost', detail: `${name} is not in the store` };
  if (opened.spec.id === id) return { kind: 'open', opened };
  await opened.close();
  return { kind: 'lost', detail: `the store of ${name} was made from another log than this one` };
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
