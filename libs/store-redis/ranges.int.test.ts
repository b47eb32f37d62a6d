import { describeOn } from '@annals/core/testing';
import type { Row, Table } from '@annals/projection';
import { put, remove, Share } from '@annals/projection/contract';
import { describe, expect, test } from 'vitest';
import { borderMarks } from './border-changes.ts';
import { furthestBorder } from './borders.ts';
import { limits } from './limits.ts';
import { redisReader } from './reader.ts';
import { Shards } from './shards.ts';
import { breaking } from './testing/breaking-connection.ts';
import { type Opened, openSample } from './testing/opened.ts';
import { copyOf } from './testing/shard-copies.ts';

const scores: Table = {
  name: 'scores',
  columns: { board: 'text', player: 'text', score: 'integer', reached: 'integer' },
  key: ['board', 'player'],
  indexes: { best: ['board', 'score desc', 'reached', 'player'] },
  ranked: { group: ['board'], score: 'score' },
};
const set = 'z0.best:1:b';
const shards = 4;

type Board = Map<string, Row>;

/** The changes that give these players these scores, noted in the board too. */
function give(board: Board, ...given: readonly (readonly [player: string, score: number])[]) {
  return given.map(([player, score]) => {
    const row = { board: 'b', player, score, reached: score % 7 };
    board.set(player, row);
    return put(scores, row);
  });
}

function take(board: Board, player: string) {
  board.delete(player);
  return remove(scores, 'b', player);
}

function players(count: number, score: (n: number) => number) {
  return Array.from({ length: count }, (_, n) => [`p${n}`, score(n)] as const);
}

function sorted(board: Board): Row[] {
  return [...board.values()].sort(
    (a, b) =>
      (b.score as number) - (a.score as number) ||
      (a.reached as number) - (b.reached as number) ||
      ((a.player as string) < (b.player as string) ? -1 : 1),
  );
}

/** As a process sees it that has asked nothing before. */
function read({ connection, shards: { spec, instance, names } }: Opened) {
  const tags = names.map(({ tag }) => tag);
  const reader = redisReader(new Shards(connection, { spec, instance, tags, scheme: 'range' }));
  return reader.read((reads) => reads.order('scores', 'best', ['b']).page(0, 10_000));
}

async function expectBoard(opened: Opened, board: Board): Promise<void> {
  const { exact, value } = await read(opened);
  expect(exact).toBe(true);
  expect(value.rows.map(({ player }) => player)).toEqual(sorted(board).map((row) => row.player));
  expect(await problemsOf(opened)).toEqual([]);
}

async function problemsOf({ generation }: Opened): Promise<readonly string[]> {
  const snapshot = await generation.snapshot();
  try {
    return await snapshot.problems();
  } finally {
    await snapshot.close();
  }
}

async function sizesOf({ connection, shards: { names } }: Opened): Promise<number[]> {
  const sizes = names.map(({ tag }) => connection.call('ZCARD', tag + set));
  return (await Promise.all(sizes)).map(Number);
}

/** A change of borders whose process is gone for long. */
async function forget({ connection, shards: { first } }: Opened): Promise<void> {
  await connection.call('HSET', first.state, 'change-until', '0');
}

async function openBoard(url: string, board: Board, count = 60) {
  const spec = { tables: [scores] };
  const opened = await openSample(url, { shards, scheme: 'range', spec });
  const share = await Share.take(opened.generation, 0, 'first');
  await share.commit(...give(board, ...players(count, (n) => n * 10)));
  await opened.generation.finishBuilding?.();
  return { ...opened, share };
}

/** `step`: how far apart the places are at which a process is cut off. */
function describeRanges(url: string, step: number): void {
  const cuts = (first: number, end: number) =>
    Array.from({ length: Math.ceil((end - first) / step) }, (_, n) => first + n * step);

  test('as a generation is built its places are cut into shards that follow each other', async () => {
    const board: Board = new Map();
    const opened = await openBoard(url, board);
    expect(await sizesOf(opened)).toEqual([15, 15, 15, 15]);
    await expectBoard(opened, board);
  });

  test('borders follow scores that rise, and players that come and go', async () => {
    const board: Board = new Map();
    const opened = await openBoard(url, board);
    for (let round = 1; round <= 6; round += 1) {
      const risen = players(60, (n) => n * 10 + round * 1_000 * (n % 2));
      const come = players(30, (n) => 5_000 * round + n).map(
        ([p, s]) => [`${p}r${round}`, s] as const,
      );
      const gone = round > 1 ? [take(board, `p3r${round - 1}`)] : [];
      await opened.share.commit(...give(board, ...risen, ...come), ...gone);
      await expectBoard(opened, board);
    }
    expect(furthestBorder(await sizesOf(opened), 2 * limits.borderSlack)).toBeUndefined();
    const { versions, isMoving } = await borderMarks(opened.shards);
    expect(new Set(versions).size).toBe(1);
    expect(isMoving).toBe(false);
  });

  test('those with one score stay together, whatever that does to the sizes', async () => {
    const board: Board = new Map();
    const opened = await openBoard(url, board);
    await opened.share.commit(...give(board, ...players(60, (n) => (n < 50 ? 7 : n))));
    await opened.share.commit(...give(board, ['p59', 8]));
    expect(Math.max(...(await sizesOf(opened)))).toBeGreaterThanOrEqual(50);
    await expectBoard(opened, board);
  });

  test('a rank among the neighbours on the other side of a border', async () => {
    const board: Board = new Map();
    const opened = await openBoard(url, board);
    const model = sorted(board);
    const reader = redisReader(opened.shards);
    for (const place of [0, 13, 14, 15, 16, 29, 30, 45, 59]) {
      const row = model[place] as Row;
      const { value, exact } = await reader.read((reads) =>
        reads.order('scores', 'best', ['b']).standing(['b', row.player as string], 5, 5),
      );
      if (!value.row) throw new Error('it has no place');
      expect(exact).toBe(true);
      expect({ ...value.value, place: value.place }).toEqual({
        before: place,
        through: place + 1,
        place,
      });
      const names = (rows: readonly { player?: unknown }[]) => rows.map(({ player }) => player);
      expect(names(value.above)).toEqual(names(model.slice(Math.max(0, place - 5), place)));
      expect(names(value.below)).toEqual(names(model.slice(place + 1, place + 6)));
    }
  });

  describe('a batch over borders that is cut off', () => {
    // What lies in a shard leaves it only when it has come to the other: none is ever missing.
    test.each(cuts(0, 14))(
      'after %i scripts shows everybody, and is taken back or gone on with',
      async (scripts) => {
        const board: Board = new Map();
        const opened = await openBoard(url, board);
        const before = new Map(board);
        const turned = give(board, ...players(60, (n) => (59 - n) * 10));
        const batch = opened.share.batch(turned);
        const cut = opened.over(breaking(opened.connection, scripts));
        const came = await cut.commit(batch).catch(() => undefined);
        const { exact, value } = await read(opened);
        const seen = value.rows.map(({ player }) => player);
        expect(new Set(seen).size).toBe(60);
        if (exact) expect(seen).toHaveLength(60);
        await forget(opened);
        if (scripts % 2 === 0) {
          expect((await opened.generation.commit(batch)).kind).toMatch(/applied/);
          await expectBoard(opened, board);
        } else {
          const next = await Share.take(opened.generation, 0, 'first');
          const isThere = next.checkpoint[0] === batch.to[0];
          if (came) expect(isThere).toBe(true);
          await expectBoard(opened, isThere ? board : before);
        }
      },
    );
  });

  describe('a change of borders that is cut off', () => {
    async function cutOffAfter(scripts: number) {
      const board: Board = new Map();
      const opened = await openBoard(url, board);
      const come = players(40, (n) => 10_000 + n).map(([p, s]) => [`${p}late`, s] as const);
      const batch = opened.share.batch(give(board, ...come));
      const broken = opened.over(breaking(opened.connection, scripts));
      await broken.commit(batch).catch(() => undefined);
      return { board, opened, batch };
    }

    test.each(cuts(8, 32))(
      'after %i scripts shows everybody, and is gone on with by whoever commits next',
      async (scripts) => {
        const { board, opened, batch } = await cutOffAfter(scripts);
        const { exact, value } = await read(opened);
        const seen = value.rows.map(({ player }) => player);
        expect(new Set(seen).size).toBe(seen.includes('p39late') ? 100 : seen.length);
        if (exact) expect(new Set(seen).size).toBe(seen.length);
        await forget(opened);
        expect((await opened.generation.commit(batch)).kind).toMatch(/applied/);
        const next = await Share.take(opened.generation, 0, 'first');
        await next.commit(...give(board, ['p5', 123]));
        await expectBoard(opened, board);
      },
    );

    test.each(cuts(12, 24))(
      'after %i scripts is ended by a comparison of rows and places',
      async (scripts) => {
        const { opened } = await cutOffAfter(scripts);
        await forget(opened);
        expect(await problemsOf(opened)).toEqual([]);
      },
    );

    test('holds a batch up as long as somebody may be at it', async () => {
      const board: Board = new Map();
      const opened = await openBoard(url, board);
      const { first } = opened.shards;
      const until = Date.now() + 60_000;
      const change = ['moving', 'somebody', 'change-until', until, 'change', '{"kind":"none"}'];
      await opened.connection.call('HSET', first.state, ...change);
      const batch = opened.share.batch(give(board, ['p1', 1_000]));
      expect((await opened.generation.commit(batch)).kind).toBe('held');
      expect((await read(opened)).exact).toBe(false);
      await forget(opened);
      expect((await opened.generation.commit(batch)).kind).toBe('applied');
      await expectBoard(opened, board);
    });
  });

  test.each(Array.from({ length: shards }, (_, n) => n))(
    'a failover of shard %i that lost a change of borders: orders are made anew from the rows',
    async (shard) => {
      const board: Board = new Map();
      const opened = await openBoard(url, board);
      const before = new Map(board);
      const fail = await copyOf(opened.connection, opened.shards.names[shard]?.tag as string);
      const come = players(60, (n) => 10_000 + n).map(([p, s]) => [`${p}late`, s] as const);
      await opened.share.commit(...give(board, ...come));
      await fail();
      const next = await Share.take(opened.generation, 0, 'first');
      await expectBoard(opened, before);
      await next.commit(...give(before, ...come));
      await expectBoard(opened, before);
    },
  );

  test('a place without its row, and a row without its place, are found', async () => {
    const board: Board = new Map();
    const opened = await openBoard(url, board);
    const { tag } = opened.shards.first;
    const [best] = (await opened.connection.call('ZRANGE', tag + set, '0', '0')) as Buffer[];
    await opened.connection.call('ZREM', tag + set, best as Buffer);
    expect(await problemsOf(opened)).toEqual([
      'scores ["b","p59"] is not in its place in an order',
    ]);
    // In a shard of other scores it is in no place either.
    const other = opened.shards.names[2]?.tag;
    await opened.connection.call('ZADD', other + set, '-590', best as Buffer);
    expect(await problemsOf(opened)).toHaveLength(2);
  });
}

await describeOn('redis', 'Places dealt by score, on one server', ({ url }) => {
  describeRanges(url, 1);
});

await describeOn('redis-cluster', 'Places dealt by score, on a cluster', ({ url }) => {
  describeRanges(url, 5);
});
