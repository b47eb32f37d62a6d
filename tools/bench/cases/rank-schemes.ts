import type { Redis } from 'ioredis';
import { playerId } from '../data/score-feed.ts';
import { alternate, type BenchCase, type Comparison, ratePerSecond } from '../harness.ts';
import { startRedis } from '../peers/redis.ts';

/**
 * Schemes for ranks in Redis by themselves, without stamps, undo and rows, so that what a scheme costs is seen:
 * sets dealt by a hash of the player, or by ranges of scores whose borders follow the distribution; and
 * percentiles by ZCOUNT, or from a histogram that writes keep.
 */
const shards = 8;
const callers = 16;
const fillAtOnce = 2_000;
/** Moves of one pipeline, as in a batch of the projector. */
const batchMoves = 500;
/** Classes of scores: exact below 32, then 16 to each power of two, so that one is 6 % wide at most. */
const exactBelow = 32;
const perOctave = 16;
const readsPerRound = 200_000;
const roundsMax = 3;

/** A read is one script in either scheme, as in our store: what the client does for each command is no part of it. */
const countScript = `local before = 0
for _, set in ipairs(KEYS) do before = before + redis.call('ZCOUNT', set, '-inf', ARGV[1]) end
return before`;
const rangesScript = `local before = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
for n = 2, #KEYS do before = before + redis.call('ZCARD', KEYS[n]) end
return before`;
const topScript = `local lists = {}
for n, set in ipairs(KEYS) do lists[n] = redis.call('ZRANGE', set, 0, 9, 'WITHSCORES') end
return lists`;

export const rankSchemes: BenchCase = {
  name: 'rank-schemes',
  summary: 'bare Redis commands: shards by range of scores, and a histogram, beside shards by hash',
  run: async ({ scale: { million: players, rounds, stretchMs }, tell }) => {
    const redis = await startRedis();
    if (!redis) {
      const remark = 'redis-server is not installed here';
      return [{ work: 'shards by range', peer: 'shards by hash', reach: 'stated', remark }];
    }
    try {
      const board = new Boards(redis.client, players);
      await board.fill();
      await board.check();
      tell(`${players} players in ${shards} shards of either scheme`);
      const compare = async (work: string, peer: string, [ours, theirs]: Sides) => {
        const some = picks(players);
        const rate = (once: (pick: number) => Promise<unknown>) => () =>
          ratePerSecond(stretchMs, some, once, callers);
        const measured = await alternate(Math.min(rounds, roundsMax), rate(ours), rate(theirs));
        return comparison(work, peer, measured, players);
      };
      const rows = [
        await compare('rank, shards by range', 'shards by hash', [
          (pick) => board.rankByRange(board.scoreOf(pick)),
          (pick) => board.rankByHash(board.scoreOf(pick)),
        ]),
        await compare('top 10, shards by range', 'shards by hash', [
          () => board.topByRange(),
          () => board.topByHash(),
        ]),
        await compare('percentile, from a histogram', 'ZCOUNT in shards by hash', [
          (pick) => board.betterByHistogram(board.scoreOf(pick)),
          (pick) => board.rankByHash(board.scoreOf(pick)),
        ]),
      ];
      return [...rows, ...(await moves(board, players, Math.min(rounds, roundsMax)))];
    } finally {
      await redis.stop();
    }
  },
};

type Sides = readonly [
  ours: (pick: number) => Promise<unknown>,
  theirs: (pick: number) => Promise<unknown>,
];

function comparison(
  work: string,
  peer: string,
  { ours, theirs, ratio }: { ours: number; theirs: number; ratio: number },
  players: number,
  remark = `${players.toLocaleString('en-US')} players, ${shards} shards of one server`,
): Comparison {
  const unit = 'a second';
  return {
    work: `bare Redis: ${work}`,
    ...{ ours: { value: ours, unit }, peer, theirs: { value: theirs, unit } },
    ...{ ratio, reach: 'stated', remark },
  };
}

/** Scores that go up, as wins do; written by each scheme in turn. */
async function moves(board: Boards, players: number, rounds: number): Promise<Comparison[]> {
  const rows: Comparison[] = [];
  const rate = (scheme: Scheme, write: (some: readonly Move[]) => Promise<unknown>) => async () => {
    const some = board.moves(scheme);
    const began = performance.now();
    for (let first = 0; first < some.length; first += batchMoves) {
      await write(some.slice(first, first + batchMoves));
    }
    return (some.length * 1_000) / (performance.now() - began);
  };
  const byHash = rate('hash', (some) => board.moveByHash(some));
  const ranged = await alternate(
    rounds,
    rate('range', (some) => board.moveByRange(some)),
    byHash,
  );
  const over = `${(100 * board.overBorders).toFixed(1)} % of the moves go over a border`;
  rows.push(
    comparison('moves of scores, shards by range', 'shards by hash', ranged, players, over),
  );
  const counted = await alternate(
    rounds,
    rate('hash', (some) => board.moveCounted(some)),
    byHash,
  );
  rows.push(comparison('moves of scores, with a histogram', 'without one', counted, players));
  return rows;
}

type Scheme = 'hash' | 'range';

interface Move {
  readonly player: number;
  readonly from: number;
  readonly to: number;
}

function picks(players: number): number[] {
  return Array.from({ length: readsPerRound }, () => Math.floor(Math.random() * players));
}

function classOf(score: number): number {
  if (score < exactBelow) return score;
  const octave = Math.floor(Math.log2(score));
  return octave * perOctave + Math.floor((score / 2 ** octave - 1) * perOctave) + exactBelow;
}

/** The same board by every scheme, in one Redis. Sets go by the negated score: the best comes first. */
class Boards {
  readonly #redis: Redis;
  readonly #scores: readonly number[];
  /** What the sets of each scheme hold as they are written to. */
  readonly #held: { readonly [scheme in Scheme]: number[] };
  /** The best score of each range but the first, descending. */
  readonly #borders: readonly number[];
  #moved = 0;
  #over = 0;

  constructor(redis: Redis, players: number) {
    this.#redis = redis;
    // Many have little, few have much.
    this.#scores = Array.from({ length: players }, () => {
      return Math.floor(-Math.log(1 - Math.random()) * 10_000);
    });
    this.#held = { hash: [...this.#scores], range: [...this.#scores] };
    const sorted = this.#scores.toSorted((a, b) => b - a);
    this.#borders = Array.from({ length: shards - 1 }, (_, n) => {
      return sorted[Math.floor(((n + 1) * players) / shards)] ?? 0;
    });
  }

  get overBorders(): number {
    return this.#over / Math.max(1, this.#moved);
  }

  scoreOf(player: number): number {
    return this.#scores[player] as number;
  }

  #rangeOf(score: number): number {
    const at = this.#borders.findIndex((border) => score > border);
    return at < 0 ? shards - 1 : at;
  }

  async fill(): Promise<void> {
    for (let first = 0; first < this.#scores.length; first += fillAtOnce) {
      const some = this.#scores.slice(first, first + fillAtOnce).map((to, n) => {
        return { player: first + n, from: to, to };
      });
      const pipeline = this.#redis.pipeline();
      for (const { player, to } of some) {
        pipeline.zadd(`h:${player % shards}`, -to, playerId(player));
        pipeline.zadd(`r:${this.#rangeOf(to)}`, -to, playerId(player));
        pipeline.hincrby('histogram', String(classOf(to)), 1);
      }
      await pipeline.exec();
    }
  }

  /** All schemes say the same, or nothing is measured. */
  async check(): Promise<void> {
    for (const pick of picks(this.#scores.length).slice(0, 20)) {
      const score = this.scoreOf(pick);
      const better = this.#scores.filter((one) => one > score).length;
      const { least, most } = await this.betterByHistogram(score);
      const ranks = [await this.rankByHash(score), await this.rankByRange(score)];
      if (ranks.some((one) => one !== better) || least > better || most < better) {
        throw new Error(
          `${better} are better than ${score}: ${ranks.join(', ')}, ${least} to ${most}`,
        );
      }
    }
  }

  async rankByHash(score: number): Promise<number> {
    const keys = Array.from({ length: shards }, (_, n) => `h:${n}`);
    return Number(await this.#redis.eval(countScript, shards, ...keys, `(${-score}`));
  }

  /** Those in better ranges as a whole, and those of the own range that are better. */
  async rankByRange(score: number): Promise<number> {
    const own = this.#rangeOf(score);
    const keys = Array.from({ length: own + 1 }, (_, n) => `r:${own - n}`);
    return Number(await this.#redis.eval(rangesScript, keys.length, ...keys, `(${-score}`));
  }

  async topByHash(): Promise<string[]> {
    const keys = Array.from({ length: shards }, (_, n) => `h:${n}`);
    const lists = (await this.#redis.eval(topScript, shards, ...keys)) as string[][];
    const all = lists.flatMap((list) => pairs(list));
    return all
      .sort((a, b) => a.score - b.score)
      .map(({ member }) => member)
      .slice(0, 10);
  }

  async topByRange(): Promise<string[]> {
    return pairs(await this.#redis.zrange('r:0', '0', '9', 'WITHSCORES')).map(
      ({ member }) => member,
    );
  }

  /** How many are better, at least and at most: those of the own class are not told apart. */
  async betterByHistogram(score: number): Promise<{ least: number; most: number }> {
    const own = classOf(score);
    let least = 0;
    let most = 0;
    for (const [name, count] of Object.entries(await this.#redis.hgetall('histogram'))) {
      if (Number(name) > own) least += Number(count);
      if (Number(name) >= own) most += Number(count);
    }
    return { least, most: own < exactBelow ? least : most };
  }

  moves(scheme: Scheme): Move[] {
    const held = this.#held[scheme];
    return Array.from({ length: 20 * batchMoves }, () => {
      const player = Math.floor(Math.random() * held.length);
      const from = held[player] as number;
      const to = from + 1 + Math.floor(Math.random() * 500);
      held[player] = to;
      return { player, from, to };
    });
  }

  async moveByHash(some: readonly Move[]): Promise<void> {
    const pipeline = this.#redis.pipeline();
    for (let n = 0; n < shards; n += 1) {
      const own = some.filter(({ player }) => player % shards === n);
      const members = own.flatMap(({ player, to }) => [String(-to), playerId(player)]);
      if (members.length > 0) pipeline.call('ZADD', `h:${n}`, ...members);
    }
    await pipeline.exec();
  }

  /** Over a border: added to the one range first, then taken out of the other, so that nobody is ever missing. */
  async moveByRange(some: readonly Move[]): Promise<void> {
    const added = new Map<number, string[]>();
    const gone = new Map<number, string[]>();
    for (const { player, from, to } of some) {
      const [before, after] = [this.#rangeOf(from), this.#rangeOf(to)];
      added.set(after, [...(added.get(after) ?? []), String(-to), playerId(player)]);
      this.#moved += 1;
      if (before === after) continue;
      this.#over += 1;
      gone.set(before, [...(gone.get(before) ?? []), playerId(player)]);
    }
    const adding = this.#redis.pipeline();
    for (const [n, members] of added) adding.call('ZADD', `r:${n}`, ...members);
    await adding.exec();
    if (gone.size === 0) return;
    const removing = this.#redis.pipeline();
    for (const [n, members] of gone) removing.zrem(`r:${n}`, ...members);
    await removing.exec();
  }

  /** By hash, and each class that gained or lost is counted once. */
  async moveCounted(some: readonly Move[]): Promise<void> {
    const more = new Map<number, number>();
    for (const { from, to } of some) {
      const [before, after] = [classOf(from), classOf(to)];
      if (before === after) continue;
      more.set(before, (more.get(before) ?? 0) - 1);
      more.set(after, (more.get(after) ?? 0) + 1);
    }
    const pipeline = this.#redis.pipeline();
    for (const [name, count] of more) pipeline.hincrby('histogram', String(name), count);
    await Promise.all([this.moveByHash(some), pipeline.exec()]);
  }
}

function pairs(list: readonly string[]): { readonly member: string; readonly score: number }[] {
  const found: { member: string; score: number }[] = [];
  for (let n = 0; n + 1 < list.length; n += 2) {
    found.push({ member: list[n] as string, score: Number(list[n + 1]) });
  }
  return found;
}
