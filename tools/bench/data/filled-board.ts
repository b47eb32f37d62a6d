import { randomUUID } from 'node:crypto';
import { systemClock } from '@annals/core';
import {
  type LeaderboardReadModel,
  type LiveRedisGeneration,
  leaderboardProjection,
  redisLeaderboardReadModel,
} from '@annals/leaderboard';
import type { RowChange } from '@annals/projection';
import { redisLiveReader, redisProjectionStore } from '@annals/store-redis';
import { commitPlayers, generationToFill } from './fill-generation.ts';
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
  const clock = systemClock;
  const { shards, scheme, ...at } = options;
  const where = { ...at, projection: leaderboardProjection.name, clock };
  const filled = await generationToFill(redisProjectionStore({ ...where, shards, scheme }));
  await commitPlayers(filled, players, playersAtOnce, changesOf);
  await filled.generation.finishBuilding?.();
  const live = redisLiveReader({ ...where, liveGeneration: () => filled.spec });
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
      await filled.drop();
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
