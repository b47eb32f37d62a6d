import { systemClock } from '@annals/core';
import {
  type LeaderboardReadModel,
  type LiveGeneration,
  leaderboardProjection,
  sqliteLeaderboardReadModel,
} from '@annals/leaderboard';
import { dataLayout } from '@annals/projector';
import { type LiveReader, liveReader, openGenerationReader } from '@annals/store-sqlite';
import type { Redis } from 'ioredis';
import { playerId } from '../data/score-feed.ts';
import {
  alternate,
  type BenchCase,
  type Comparison,
  ratePerSecond,
  type Scale,
} from '../harness.ts';
import { fillSortedSet, startRedis } from '../peers/redis.ts';

const inFlight = 16;
const asksPerMs = 100;
const key = 'default:month';

export const rankAmongMany: BenchCase = {
  name: 'rank',
  summary: 'rank of a random player beside ZREVRANK',
  run: async ({ scale, tell, prepared }) => {
    const players = scale.million;
    const folder = await prepared.service({ players, events: players });
    const { projections } = dataLayout(folder);
    const { name: projection } = leaderboardProjection;
    // Its id comes from the file itself: no log is open here that could tell it.
    const first = openGenerationReader(projections, projection, 1);
    const { spec } = first;
    first.close();
    const live = liveReader({
      folder: projections,
      projection,
      liveGeneration: () => spec,
      clock: systemClock,
    });
    const redis = await startRedis();
    try {
      const rank = rankReader(sqliteLeaderboardReadModel(asLiveGeneration(live)));
      if (redis) {
        await fillSortedSet(redis.client, key, players);
        tell(`Redis holds ${players} members`);
      }
      return [
        await compare(rank, redis?.client, scale, 1),
        await compare(rank, redis?.client, scale, inFlight),
      ];
    } finally {
      live.close();
      await redis?.stop();
    }
  },
};

function asLiveGeneration(live: LiveReader): LiveGeneration {
  return {
    current: () => {
      const current = live.current();
      return current.kind === 'ready' ? current : { kind: 'lost' };
    },
    waitFor: async (checkpoint, timeoutMs) => {
      const outcome = await live.waitFor(checkpoint, { timeoutMs });
      return outcome === 'timeout' ? 'late' : outcome;
    },
  };
}

type RankOf = (userId: string) => Promise<number>;

function rankReader(readModel: LeaderboardReadModel): RankOf {
  const period = new Date().toISOString().slice(0, 7);
  const place = { board: 'default', period, order: 'desc', ties: 'standard' } as const;
  return async (userId) => {
    const answer = await readModel.ranks({ ...place, userIds: [userId] });
    const rank = answer.kind === 'answer' ? answer.rows[0]?.boardRank : undefined;
    if (rank === undefined) throw new Error(`${userId} has no rank: ${JSON.stringify(answer)}`);
    return rank;
  };
}

async function compare(
  rank: RankOf,
  redis: Redis | undefined,
  { rounds, stretchMs, million }: Scale,
  callers: number,
): Promise<Comparison> {
  const asked = () =>
    Array.from({ length: stretchMs * asksPerMs }, () =>
      playerId(Math.floor(Math.random() * million)),
    );
  const ours = () => ratePerSecond(stretchMs, asked(), rank, callers);
  const work = `rank of a random player among ${million.toLocaleString('en-US')}, in process, ${
    callers === 1 ? 'one at a time' : `${callers} in flight`
  }`;
  const peer = 'ZREVRANK through ioredis on loopback';
  const reach = 'ahead';
  if (!redis) {
    const remark = 'redis-server is not installed here';
    return { work, ours: { value: await ours(), unit: 'ranks/s' }, peer, reach, remark };
  }
  const theirs = async (userId: string) => {
    if ((await redis.zrevrank(key, userId)) === null) throw new Error(`${userId} has no rank`);
  };
  const measured = await alternate(rounds, ours, () =>
    ratePerSecond(stretchMs, asked(), theirs, callers),
  );
  return {
    work,
    ours: { value: measured.ours, unit: 'ranks/s' },
    peer,
    theirs: { value: measured.theirs, unit: 'ranks/s' },
    ratio: measured.ratio,
    reach,
    met: measured.ratio > 1,
    remark:
      'ours with shared ranks, the score and the number of players; Redis in memory, not durable',
  };
}
