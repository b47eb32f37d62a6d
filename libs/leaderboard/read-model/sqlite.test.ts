import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { idFromKey, systemClock } from '@annals/core';
import type { RowChange } from '@annals/projection';
import {
  type GenerationReader,
  openGenerationReader,
  type ReadTransaction,
  sqliteProjectionStore,
} from '@annals/store-sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { leaderboardSql, sqliteLeaderboardReadModel } from './sqlite.ts';

const { name: projection, version, tables, split } = leaderboardProjection;
const players = 100_000;
/** Players on each score: a thousand scores in all. */
const tied = 100;
const on = { board: 'big', period: 'all', order: 'desc' } as const;

const folder = mkdtempSync(join(tmpdir(), 'annals-big-board-'));
let reader: GenerationReader;
/** Statements run and rows given since the last question. */
const work = { statements: 0, rows: 0 };

const readModel = sqliteLeaderboardReadModel({
  current: () => ({
    kind: 'ready',
    reader: { readInTurn: (run) => reader.readInTurn((transaction) => run(counted(transaction))) },
  }),
  waitFor: async () => 'reached',
});

function counted(transaction: ReadTransaction): ReadTransaction {
  return {
    all: <Row>(sql: string, ...params: Parameters<ReadTransaction['all']>[1][]) => {
      const rows = transaction.all<Row>(sql, ...params);
      work.statements += 1;
      work.rows += rows.length;
      return rows;
    },
    get: <Row>(sql: string, ...params: Parameters<ReadTransaction['get']>[1][]) => {
      work.statements += 1;
      work.rows += 1;
      return transaction.get<Row>(sql, ...params);
    },
    ranked: (table, group) => transaction.ranked(table, group),
    checkpoint: () => transaction.checkpoint(),
  };
}

/** Player n reached score floor(n / 100) as the n-th of all. */
function row(n: number): RowChange {
  const user_id = userOf(n);
  const score = Math.floor(n / tied);
  return {
    table: 'scores',
    key: [on.board, on.period, user_id],
    row: {
      board: on.board,
      period: on.period,
      user_id,
      score,
      standing: 0 - score,
      reached_at: n,
      reached_by: `event-${n}`,
      matches: 1,
      last_revision: n,
    },
  };
}

function userOf(n: number): string {
  return `user-${String(n).padStart(6, '0')}`;
}

beforeAll(async () => {
  const store = sqliteProjectionStore({ folder, projection, clock: systemClock });
  const id = idFromKey('generation', 'test');
  await store.create({ id, projection, version, generation: 1, tables, workers: 1, split });
  const generation = await store.open(1);
  if (generation === 'lost') throw new Error('lost');
  const lease = await generation.acquire(0, 'test', Date.now(), 60_000);
  if (lease.kind !== 'acquired') throw new Error('busy');
  const changes = Array.from({ length: players }, (_, n) => row(n));
  const batch = { worker: 0, epoch: lease.epoch, from: {}, to: { 0: '1' }, after: 0, tail: '' };
  expect(await generation.commit({ ...batch, changes })).toEqual({ kind: 'applied' });
  await generation.finishBuilding?.();
  await generation.close();
  await store.close();
  reader = openGenerationReader(folder, projection, 1);
}, 60_000);

afterAll(() => {
  reader.close();
  rmSync(folder, { recursive: true });
});

/** What is scanned and sorted all the same: lists with a limit, as long as what is shown. */
const listsOf: { readonly [query: string]: readonly string[] } = {
  friends: ['SCAN friend VIRTUAL TABLE INDEX 1:', 'USE TEMP B-TREE FOR ORDER BY'],
  from: ['CO-ROUTINE s', 'SCAN s'],
};

async function asked<T>(question: () => Promise<T>): Promise<{ answer: T } & typeof work> {
  work.statements = 0;
  work.rows = 0;
  const answer = await question();
  return { answer, ...work };
}

describe('a board of 100,000 players', () => {
  test.each(Object.entries(leaderboardSql))('the query "%s" searches an index', (name, sql) => {
    const database = new DatabaseSync(reader.path, { readOnly: true });
    const params = Array.from({ length: sql.split('?').length - 1 }, () => 1);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
    database.close();
    const steps = plan.map((step) => String(step.detail));
    const scans = steps.filter((step) => !step.startsWith('SEARCH'));
    expect(scans).toEqual(listsOf[name] ?? []);
  });

  test.each(['first', 'from', 'above', 'below'] as const)(
    'the query "%s" finds all it needs of the board in the index',
    (name) => {
      const database = new DatabaseSync(reader.path, { readOnly: true });
      const sql = leaderboardSql[name];
      const params = Array.from({ length: sql.split('?').length - 1 }, () => 1);
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params);
      database.close();
      const search = plan.find(({ detail }) => String(detail).startsWith('SEARCH s'));
      expect(search?.detail).toContain('USING COVERING INDEX scores_standing');
    },
  );

  test.each([0, 1, 99, 100, 50_050, 99_999])('player %i is found in a few steps', async (n) => {
    const query = { ...on, userId: userOf(n), around: 4, ties: 'standard' } as const;
    const { answer, statements, rows } = await asked(() => readModel.standing(query));
    const score = Math.floor(n / tied);
    expect(answer).toMatchObject({
      players,
      row: { score, rank: players - (score + 1) * tied + 1, percentile: (score * tied) / 1_000 },
    });
    expect(statements).toBe(3);
    expect(rows).toBeLessThanOrEqual(9);
  });

  test.each([0, 1, 99, 100, 31_415, 99_990])(
    'the page at %i costs what it shows',
    async (offset) => {
      const query = { ...on, limit: 10, offset, ties: 'dense' } as const;
      const { answer, statements, rows } = await asked(() => readModel.top(query));
      const expected = Array.from({ length: 10 }, (_, n) => {
        const place = offset + n;
        const rank = 1 + Math.floor(place / tied);
        const score = players / tied - rank;
        return { userId: userOf(score * tied + (place % tied)), score, rank };
      });
      expect(answer).toMatchObject({ rows: expected });
      expect(statements).toBe(1);
      expect(rows).toBe(10);
    },
  );

  test('500 friends are one statement', async () => {
    const userIds = Array.from({ length: 500 }, (_, n) => userOf(n * 199));
    const query = { ...on, userIds, ties: 'standard' } as const;
    const { answer, statements, rows } = await asked(() => readModel.ranks(query));
    expect(answer).toMatchObject({ players, rows: { length: 500 } });
    expect(statements).toBe(1);
    expect(rows).toBe(500);
  });
});
