import { systemClock } from '@annals/core';
import { leaderboardProjection } from '@annals/leaderboard';
import { redisProjectionStore } from '@annals/store-redis';
import { LiveProjector } from '../data/live-projector.ts';
import type { FedScore } from '../data/score-feed.ts';
import { ScoreFeed } from '../data/score-feed.ts';
import { alternate, type Bench, type BenchCase, type Comparison, median } from '../harness.ts';
import { type RedisPeer, startRedis, zaddAll, zincrbyEach } from '../peers/redis.ts';
import { rebuildOnce } from '../processes/rebuilds.ts';

const liveReach = 0.3;
const rebuildReach = 0.4;
const oneByOneReach = 10;
const zadd = 'ioredis: pipelined variadic ZADD of the final scores';
const zincrby = 'ioredis: one ZINCRBY an event, one by one';
const key = 'plain:month';

export const redisProjector: BenchCase = {
  name: 'redis-projector',
  summary: 'the leaderboard’s projector on Redis, live and in a rebuild, beside ZADD and ZINCRBY',
  run: async (bench) => {
    const redis = await startRedis();
    if (!redis) {
      const remark = 'redis-server is not installed here';
      return [{ work: 'projector on Redis', peer: zadd, reach: `≥ ${liveReach}`, remark }];
    }
    try {
      return [
        await live(redis, bench, 1),
        await live(redis, bench, 8),
        ...(await rebuilt(redis, bench)),
      ];
    } finally {
      await redis.stop();
    }
  },
};

async function live(
  redis: RedisPeer,
  { scale: { million, longRounds } }: Bench,
  shards: number,
): Promise<Comparison> {
  // Each event is another player's, so that there are as many final scores as events.
  const players = million / 10;
  const url = `redis://127.0.0.1:${redis.port}`;
  const projection = leaderboardProjection.name;
  const where = { url, projection, clock: systemClock, prefix: `live${shards}`, shards };
  const projector = await LiveProjector.start(redisProjectionStore(where), players);
  try {
    const rate = async (run: (scores: readonly FedScore[]) => Promise<void>) => {
      const scores = await projector.take(players);
      const started = performance.now();
      await run(scores);
      return (players * 1_000) / (performance.now() - started);
    };
    // Both begin with a board that is there: scores are changed, not only added.
    const totals = new Totals();
    const ours = () => rate((scores) => projector.project(scores));
    const theirs = () => rate((scores) => zaddAll(redis.client, key, totals.after(scores)));
    await ours();
    await theirs();
    const measured = await alternate(longRounds, ours, theirs);
    return {
      work: `projector on Redis, ${shards === 1 ? 'one shard' : `${shards} shards`}: live, from the log to visible`,
      ours: { value: measured.ours, unit: 'events/s' },
      peer: zadd,
      theirs: { value: measured.theirs, unit: 'scores/s' },
      ratio: measured.ratio,
      reach: `≥ ${liveReach}`,
      met: measured.ratio >= liveReach,
      remark:
        `${players.toLocaleString('en-US')} events of as many players a round; ours with the append to a log in memory, ` +
        'the fold, score rows, an entry of each event and the checkpoint',
    };
  } finally {
    await projector.stop();
    await redis.client.del(key);
  }
}

/** What players have, as their points come in. */
class Totals {
  readonly #points = new Map<string, number>();

  /** The scores of these players, with these points added. */
  after(scores: readonly FedScore[]): [member: string, score: number][] {
    return scores.map(({ data: { user_id, points } }) => {
      const total = (this.#points.get(user_id) ?? 0) + points;
      this.#points.set(user_id, total);
      return [user_id, total];
    });
  }
}

async function rebuilt(
  redis: RedisPeer,
  { scale: { million, longRounds }, prepared, tell }: Bench,
): Promise<Comparison[]> {
  const folder = await prepared.log({ players: million, events: million });
  const scores = await new ScoreFeed({ players: million }).take(million);
  const finals = new Totals().after(scores);
  const rates: { ours: number[]; single: number[] } = { ours: [], single: [] };
  const perSecond = async (events: number, run: () => Promise<void>) => {
    await redis.client.del(key);
    const started = performance.now();
    await run();
    return (events * 1_000) / (performance.now() - started);
  };
  // A tenth is enough to know how long one event takes.
  const some = scores
    .slice(0, million / 10)
    .map(({ data }) => [data.user_id, data.points] as const);
  const measured = await alternate(
    longRounds,
    async () => {
      const { perSecond: rate } = await rebuildOnce(folder, {
        redis: `redis://127.0.0.1:${redis.port}`,
      });
      tell(`rebuilt: ${rate.toFixed(0)} events/s`);
      rates.ours.push(rate);
      rates.single.push(await perSecond(some.length, () => zincrbyEach(redis.client, key, some)));
      return rate;
    },
    () => perSecond(finals.length, () => zaddAll(redis.client, key, finals)),
  );
  const oneByOne = median(rates.ours.map((rate, n) => rate / (rates.single[n] as number)));
  const work = `rebuild of ${million.toLocaleString('en-US')} events into Redis, one shard`;
  const ours = { value: measured.ours, unit: 'events/s' };
  const remark = 'one event a player; read from the log on disk by one worker';
  return [
    {
      ...{ work, ours, peer: zadd, remark },
      theirs: { value: measured.theirs, unit: 'scores/s' },
      ratio: measured.ratio,
      reach: `≥ ${rebuildReach}`,
      met: measured.ratio >= rebuildReach,
    },
    {
      ...{ work: `${work}, beside single commands`, ours, peer: zincrby, remark },
      theirs: { value: median(rates.single), unit: 'events/s' },
      ratio: oneByOne,
      reach: `≥ ${oneByOneReach}`,
      met: oneByOne >= oneByOneReach,
    },
  ];
}
