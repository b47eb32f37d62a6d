import { describe, expect, test } from 'vitest';
import type { Order } from '../input.ts';
import type { RankedPlayer, StandingQuery, TopQuery } from '../read-model/port.ts';
import type { HistoryFeeder } from './feeder.ts';
import { type Opened, openFresh, type ReadModelOpeners } from './site.ts';

const on = { board: 'b', period: '2026-11', order: 'desc' } as const;

async function scores(
  feeder: HistoryFeeder,
  points: readonly (readonly [string, number])[],
  order: Order = 'desc',
): Promise<void> {
  for (const [index, [user_id, some]] of points.entries()) {
    await feeder.score({
      ...on,
      order,
      operator: 'latest',
      user_id,
      match_id: index,
      points: some,
    });
    feeder.passTime(1);
  }
  await feeder.commit();
}

async function top({ readModel }: Opened, query: Partial<TopQuery> = {}) {
  const answer = await readModel.top({ ...on, limit: 100, offset: 0, ties: 'standard', ...query });
  if (answer.kind === 'lost') throw new Error('lost');
  return answer;
}

async function standing({ readModel }: Opened, query: Partial<StandingQuery>) {
  const asked = { ...on, userId: 'nobody', around: 4, ties: 'standard' as const, ...query };
  const answer = await readModel.standing(asked);
  if (answer.kind === 'lost') throw new Error('lost');
  return answer;
}

const shortly = (rows: readonly RankedPlayer[]) => rows.map((row) => `${row.rank} ${row.userId}`);

/** The rules of ranks by example. */
export function describeRanks(openers: ReadModelOpeners): void {
  describe('ranks', () => {
    test('players with the same score have the same rank, and the next one is counted on', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, [
        ['d', 1],
        ['b', 5],
        ['a', 9],
        ['c', 5],
      ]);
      expect(shortly((await top(opened)).rows)).toEqual(['1 a', '2 b', '2 c', '4 d']);
      const dense = await top(opened, { ties: 'dense' });
      expect(shortly(dense.rows)).toEqual(['1 a', '2 b', '2 c', '3 d']);
    });

    test('within a tie whoever reached the score first stands first', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, [
        ['late', 1],
        ['early', 5],
        ['late', 5],
        ['early', 5],
        ['latest', 5],
      ]);
      const rows = shortly((await top(opened)).rows);
      expect(rows).toEqual(['1 early', '1 late', '1 latest']);
    });

    test('where lower is better the lowest comes first, also below zero', async () => {
      const opened = await openFresh(openers);
      const order = 'asc';
      const points = [
        ['a', 3],
        ['b', -300],
        ['c', 0],
        ['d', 70_000],
        ['e', -2],
      ] as const;
      await scores(opened.feeder, points, order);
      const answer = await top(opened, { order });
      expect(shortly(answer.rows)).toEqual(['1 b', '2 e', '3 c', '4 a', '5 d']);
      expect((await standing(opened, { order, userId: 'b' })).row?.percentile).toBe(80);
    });

    test('scores at the ends of the safe integers are ranked', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, [
        ['least', Number.MIN_SAFE_INTEGER],
        ['most', Number.MAX_SAFE_INTEGER],
        ['none', 0],
        ['nearly', Number.MAX_SAFE_INTEGER - 1],
      ]);
      const rows = (await top(opened)).rows;
      expect(shortly(rows)).toEqual(['1 most', '2 nearly', '3 none', '4 least']);
      expect(rows.map((row) => row.score)).toEqual([
        Number.MAX_SAFE_INTEGER,
        Number.MAX_SAFE_INTEGER - 1,
        0,
        Number.MIN_SAFE_INTEGER,
      ]);
    });

    test('pages join without a gap, also in the midst of a tie and beyond the end', async () => {
      const opened = await openFresh(openers);
      const points = Array.from({ length: 23 }, (_, n) => [`u${n}`, Math.floor(n / 10)] as const);
      await scores(opened.feeder, points);
      const { rows: all, players } = await top(opened);
      expect(players).toBe(23);
      for (const ties of ['standard', 'dense'] as const) {
        const whole = (await top(opened, { ties })).rows;
        for (let offset = 0; offset < 25; offset += 1) {
          const page = await top(opened, { ties, offset, limit: 4 });
          expect(page.rows).toEqual(whole.slice(offset, offset + 4));
          expect(page.players).toBe(23);
        }
      }
      expect(all).toHaveLength(23);
      expect((await top(opened, { offset: 1_000_000_000 })).rows).toEqual([]);
    });

    test('a board without players is empty, not lost', async () => {
      const opened = await openFresh(openers);
      expect(await top(opened)).toMatchObject({ kind: 'answer', rows: [], players: 0, asOf: {} });
      expect(await standing(opened, {})).toMatchObject({ row: undefined, players: 0 });
    });

    test('boards and periods do not mix', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, [['a', 1]]);
      for (const other of [{ board: 'other' }, { period: '2026-10' }]) {
        expect(await top(opened, other)).toMatchObject({ rows: [], players: 0 });
        expect((await standing(opened, { ...other, userId: 'a' })).row).toBeUndefined();
      }
    });
  });

  describe('neighbours', () => {
    const fifteen = Array.from({ length: 15 }, (_, n) => [`u${n}`, 100 - n] as const);

    test('are the four above and the four below', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, fifteen);
      const answer = await standing(opened, { userId: 'u7' });
      expect(answer.row).toMatchObject({ rank: 8, score: 93, percentile: 46.66, matches: 1 });
      expect(shortly(answer.above)).toEqual(['4 u3', '5 u4', '6 u5', '7 u6']);
      expect(shortly(answer.below)).toEqual(['9 u8', '10 u9', '11 u10', '12 u11']);
    });

    test('are fewer at both ends of the board', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, fifteen);
      const first = await standing(opened, { userId: 'u0' });
      expect(first.row).toMatchObject({ rank: 1, percentile: 93.33 });
      expect(first.above).toEqual([]);
      expect(shortly(first.below)).toEqual(['2 u1', '3 u2', '4 u3', '5 u4']);
      const last = await standing(opened, { userId: 'u14' });
      expect(last.row).toMatchObject({ rank: 15, percentile: 0 });
      expect(last.below).toEqual([]);
      expect(shortly(last.above)).toEqual(['11 u10', '12 u11', '13 u12', '14 u13']);
      const second = await standing(opened, { userId: 'u1' });
      expect(shortly(second.above)).toEqual(['1 u0']);
    });

    test('are all the others on a board with fewer than nine players', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, fifteen.slice(0, 3));
      const answer = await standing(opened, { userId: 'u1' });
      expect(shortly(answer.above)).toEqual(['1 u0']);
      expect(shortly(answer.below)).toEqual(['3 u2']);
      expect((await standing(opened, { userId: 'u1', around: 0 })).above).toEqual([]);
    });

    test('of the only player are none, and the percentile is 0', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, [['alone', 5]]);
      const answer = await standing(opened, { userId: 'alone' });
      expect(answer).toMatchObject({ above: [], below: [], players: 1 });
      expect(answer.row).toMatchObject({ rank: 1, percentile: 0 });
    });

    test('in a tie stand in the order in which they reached it, all with one rank', async () => {
      const opened = await openFresh(openers);
      const tied = Array.from({ length: 300 }, (_, n) => [`t${n}`, 7] as const);
      await scores(opened.feeder, [['best', 9], ...tied, ['worst', 1]]);
      const answer = await standing(opened, { userId: 't150', around: 2 });
      expect(shortly(answer.above)).toEqual(['2 t148', '2 t149']);
      expect(shortly(answer.below)).toEqual(['2 t151', '2 t152']);
      expect(answer.row).toMatchObject({ rank: 2, percentile: 0.33 });
      const end = await standing(opened, { userId: 't299', around: 2 });
      expect(shortly(end.below)).toEqual(['302 worst']);
      const dense = await standing(opened, { userId: 't299', around: 2, ties: 'dense' });
      expect(shortly(dense.below)).toEqual(['3 worst']);
    });
  });

  describe('friends', () => {
    test('are ranked among themselves and on the board; those without a score are left out', async () => {
      const opened = await openFresh(openers);
      await scores(opened.feeder, [
        ['a', 9],
        ['b', 8],
        ['c', 8],
        ['d', 7],
        ['e', 6],
      ]);
      const userIds = ['e', 'nobody', 'c', 'b', 'e'];
      const answer = await opened.readModel.ranks({ ...on, userIds, ties: 'standard' });
      expect(answer).toMatchObject({
        players: 5,
        rows: [
          { userId: 'b', rank: 1, boardRank: 2 },
          { userId: 'c', rank: 1, boardRank: 2 },
          { userId: 'e', rank: 3, boardRank: 5 },
        ],
      });
      const dense = await opened.readModel.ranks({ ...on, userIds, ties: 'dense' });
      expect(dense).toMatchObject({ rows: [{ rank: 1 }, {}, { rank: 2, boardRank: 4 }] });
    });

    test('may be 500', async () => {
      const opened = await openFresh(openers);
      const points = Array.from({ length: 500 }, (_, n) => [`u${n}`, n % 20] as const);
      await scores(opened.feeder, points);
      const userIds = points.map(([user]) => user);
      const answer = await opened.readModel.ranks({ ...on, userIds, ties: 'standard' });
      const board = await top(opened, { limit: 500 });
      const withBoardRank = board.rows.map((row) => ({ ...row, boardRank: row.rank }));
      expect(answer).toMatchObject({ rows: withBoardRank });
    });
  });
}
