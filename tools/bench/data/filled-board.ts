import { randomUUID } from 'node:crypto';
import { systemClock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import {
  type LeaderboardReadModel,
  type LiveRedisGeneration,
  leaderboardProjection,
  redisLeaderboardReadModel,
} from '@annals/leaderboard';
import type { GenerationSpec, RowChange } from '@annals/projection';
import { redisLiveReader, redisProjectionStore } from '@annals/store-redis';
import { playerId } from './score-feed.ts';

const playersAtOnce = 10_000;
const meanScore = 10_000;
const day = Date.UTC(2026, 0, 1);

/** One board in Redis as the projector leaves it, its rows made here: there is no log of so many events. */
export interface FilledBoard {
  readonly readModel: LeaderboardReadModel;
  drop(): Promise<void>;
}

export const filledPlace = { board: 'default', period: '2026-01', order: 'desc' } as const;

/** One score each, with its entry: many have little, few have much. */
export async function fillBoard(
  options: {
    readonly url: string;
    readonly prefix: string;
    readonly shards: number;
    readonly scheme: 'hash' | 'range';
  },
  players: number,
): Promise<FilledBoard> {
  const { name: projection, version, tables } = leaderboardProjection;
  const spec: GenerationSpec = {
    ...{ id: randomUUID(), projection, version, tables },
    ...{ generation: 1, workers: 1, split: 'stream' },
  };
  const clock = systemClock;
  const { shards, scheme, ...where } = { ...options, projection, clock };
  const store = redisProjectionStore({ ...where, shards, scheme });
  await store.create(spec);
  const generation = await store.open(1);
  if (generation === 'lost') throw new Error('the generation is gone');
  const lease = await generation.acquire(0, 'bench', clock.now(), 3_600_000);
  if (lease.kind === 'busy') throw new Error('somebody else has the lease');
  let from: Checkpoint = {};
  let { batches: after } = lease;
  for (let first = 0; first < players; first += playersAtOnce) {
    const last = Math.min(players, first + playersAtOnce);
    const to = { 0: String(last).padStart(16, '0') };
    const changes = Array.from({ length: last - first }, (_, n) => changesOf(first + n)).flat();
    const batch = { worker: 0, epoch: lease.epoch, from, to, after, tail: '', changes };
    const { kind } = await generation.commit(batch);
    if (kind !== 'applied') throw new Error(`a batch was ${kind}`);
    from = to;
    after += 1;
  }
  await generation.finishBuilding?.();
  const live = redisLiveReader({ ...where, liveGeneration: () => spec });
  return {
    readModel: redisLeaderboardReadModel({
      current: async () => {
        const now = await live.current();
        return now.kind === 'ready' ? now : { kind: 'lost' };
      },
      waitFor: async () => 'reached',
    } satisfies LiveRedisGeneration),
    drop: async () => {
      live.close();
      await generation.close();
      await store.drop(1);
      await store.close();
    },
  };
}

function changesOf(player: number): RowChange[] {
  const { board, period } = filledPlace;
  const user_id = playerId(player);
  const score = Math.floor(-Math.log(1 - Math.random()) * meanScore);
  // Runs of a bucket's stream: its entries lie together, as those of a log do.
  const entry = { stream: `scores-${board}~${player % 64}`, revision: Math.floor(player / 64) };
  const row = {
    ...{ board, period, user_id, score, standing: -score, reached_at: day + player },
    ...{ reached_by: randomUUID(), matches: 1, last_revision: entry.revision },
  };
  return [
    { table: 'scores', key: [board, period, user_id], row },
    {
      table: 'entries',
      key: [entry.stream, entry.revision],
      row: { ...entry, status: 'counted', total: score, previous: null },
    },
  ];
}
