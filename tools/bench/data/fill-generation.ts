import { randomUUID } from 'node:crypto';
import { systemClock } from '@annals/core';
import { leaderboardProjection } from '@annals/leaderboard';
import type {
  GenerationSpec,
  GenerationStore,
  Lease,
  ProjectionStore,
  RowChange,
} from '@annals/projection';

const leaseMs = 3_600_000;

/** A generation of the leaderboard that is filled here, and not from a log. */
export interface GenerationToFill {
  readonly spec: GenerationSpec;
  readonly generation: GenerationStore;
  readonly lease: Extract<Lease, { kind: 'acquired' }>;
  /** Removes it, and closes the store. */
  drop(): Promise<void>;
}

/** The first generation of an empty store. */
export async function generationToFill(store: ProjectionStore): Promise<GenerationToFill> {
  const { name: projection, version, tables } = leaderboardProjection;
  const spec: GenerationSpec = {
    ...{ id: randomUUID(), projection, version, tables },
    ...{ generation: 1, workers: 1, split: 'stream' },
  };
  await store.create(spec);
  const generation = await store.open(1);
  if (generation === 'lost') throw new Error('the generation is gone');
  const lease = await generation.acquire(0, 'bench', systemClock.now(), leaseMs);
  if (lease.kind === 'busy') throw new Error('somebody else has the lease');
  const drop = async () => {
    await generation.close();
    await store.drop(1);
    await store.close();
  };
  return { spec, generation, lease, drop };
}

/** Commits what `changesOf` makes of each player, so many players in a batch. */
export async function commitPlayers(
  { generation, lease }: GenerationToFill,
  players: number,
  atOnce: number,
  changesOf: (player: number) => RowChange[],
): Promise<void> {
  let { checkpoint: from, batches: after } = lease;
  for (let first = 0; first < players; first += atOnce) {
    const last = Math.min(players, first + atOnce);
    const to = { 0: String(last).padStart(16, '0') };
    const changes = Array.from({ length: last - first }, (_, n) => changesOf(first + n)).flat();
    const batch = { worker: 0, epoch: lease.epoch, from, to, after, tail: '', changes };
    const { kind } = await generation.commit(batch);
    if (kind !== 'applied') throw new Error(`a batch was ${kind}`);
    from = to;
    after += 1;
  }
}
