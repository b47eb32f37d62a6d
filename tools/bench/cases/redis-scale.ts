import type { LeaderboardReadModel } from '@annals/leaderboard';
import { type FilledBoard, fillBoard, filledPlace } from '../data/filled-board.ts';
import { playerId } from '../data/score-feed.ts';
import { type BenchCase, type Comparison, median, ratePerSecond, type Scale } from '../harness.ts';
import { type RedisPeer, startRedis, usedBytes } from '../peers/redis.ts';

const shards = 8;
const inFlight = 16;
const asksPerMs = 100;
const roundsMax = 5;
/** Sizes in millions of players. */
const sizes = [0.01, 0.1, 1, 5] as const;
/** What is left of the rate of the smallest board: five hundred times as many players are nine more steps of a search. */
const flat = 0.5;
const playersMany = 25_000_000;
const headroom = 2;

/** Rates of one board. */
interface Measured {
  readonly players: number;
  readonly scheme: 'hash' | 'range';
  readonly rank: number;
  readonly top: number;
  readonly bytesEach: number;
}

export const redisScale: BenchCase = {
  name: 'redis-scale',
  summary: 'boards of 10,000 to 5,000,000 players in Redis: rank, top 10, bytes a player',
  run: async ({ scale, tell }) => {
    const rows: Comparison[] = [];
    for (const scheme of ['hash', 'range'] as const) {
      const measured: Measured[] = [];
      for (const size of sizes) {
        const players = Math.round(size * scale.million);
        // A server of its own for each board: one that frees what was on it before says nothing of memory.
        const redis = await startRedis();
        if (!redis) {
          const remark = 'redis-server is not installed here';
          return [{ work: 'boards of many sizes in Redis', peer: '', reach: 'flat', remark }];
        }
        try {
          measured.push(await measure(redis, { players, scheme }, scale, tell));
        } finally {
          await redis.stop();
        }
      }
      const [smallest] = measured as [Measured];
      rows.push(...measured.flatMap((one) => rowsOf(one, smallest)));
    }
    return rows;
  },
};

async function measure(
  redis: RedisPeer,
  { players, scheme }: Pick<Measured, 'players' | 'scheme'>,
  scale: Scale,
  tell: (line: string) => void,
): Promise<Measured> {
  const before = await usedBytes(redis);
  const started = performance.now();
  const url = `redis://127.0.0.1:${redis.port}`;
  const board = await fillBoard({ url, prefix: `scale${players}`, shards, scheme }, players);
  const bytesEach = ((await usedBytes(redis)) - before) / players;
  tell(
    `${said(players)} players, ${scheme}, in ${((performance.now() - started) / 1_000).toFixed(1)} s`,
  );
  try {
    const rank: number[] = [];
    const top: number[] = [];
    for (let round = 0; round < Math.min(scale.rounds, roundsMax); round += 1) {
      rank.push(await rateOf(scale, players, (userId) => rankOf(board.readModel, userId)));
      top.push(await rateOf(scale, players, () => topOf(board.readModel)));
    }
    return { players, scheme, bytesEach, rank: median(rank), top: median(top) };
  } finally {
    await board.drop();
  }
}

function rateOf(
  { stretchMs }: Scale,
  players: number,
  once: (userId: string) => Promise<void>,
): Promise<number> {
  const asked = Array.from({ length: stretchMs * asksPerMs }, () =>
    playerId(Math.floor(Math.random() * players)),
  );
  return ratePerSecond(stretchMs, asked, once, inFlight);
}

type ReadModel = FilledBoard['readModel'];

async function rankOf(readModel: ReadModel, userId: string): Promise<void> {
  const answer = await readModel.standing({ ...filledPlace, userId, around: 0, ties: 'standard' });
  if (answer.kind !== 'answer' || !answer.row) throw new Error(`${userId} has no rank`);
}

async function topOf(readModel: LeaderboardReadModel): Promise<void> {
  const page = { limit: 10, offset: 0, ties: 'standard' } as const;
  const answer = await readModel.top({ ...filledPlace, ...page });
  if (answer.kind !== 'answer' || answer.rows.length !== 10) throw new Error('there is no top 10');
}

function rowsOf(
  { players, scheme, rank, top, bytesEach }: Measured,
  smallest: Measured,
): Comparison[] {
  const dealt = `${shards} shards${scheme === 'range' ? ' by score' : ''}`;
  const peer = `the same with ${said(smallest.players)} players`;
  const rate = (what: string, ours: number, theirs: number): Comparison => ({
    work: `Redis, ${dealt}, ${said(players)} players: ${what}, ${inFlight} in flight`,
    ours: { value: ours, unit: 'reads/s' },
    ...(players === smallest.players
      ? { peer: '', reach: 'stated' }
      : {
          peer,
          theirs: { value: theirs, unit: 'reads/s' },
          ratio: ours / theirs,
          reach: `flat: ≥ ${flat}`,
          met: ours / theirs >= flat,
        }),
    remark: 'the read model in process',
  });
  const gib = (headroom * bytesEach * playersMany) / 2 ** 30;
  return [
    rate('rank of a random player with percentile', rank, smallest.rank),
    rate('top 10', top, smallest.top),
    {
      work: `Redis, ${dealt}, ${said(players)} players: memory`,
      ours: { value: bytesEach, unit: 'bytes a player' },
      peer: '',
      reach: 'stated',
      remark: `one score each, with its entry; 25 M players with twice the headroom: ${gib.toFixed(1)} GiB`,
    },
  ];
}

function said(players: number): string {
  return players.toLocaleString('en-US');
}
