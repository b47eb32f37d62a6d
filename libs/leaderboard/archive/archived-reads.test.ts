import { expect, test } from 'vitest';
import type { LeaderboardReadModel, TopQuery } from '../read-model/port.ts';
import type { BoardState } from '../state.ts';
import { archivedLeaderboardReadModel } from './archived-reads.ts';

const query: TopQuery = {
  board: 'b',
  period: '2026-01',
  order: 'desc',
  limit: 10,
  offset: 0,
  ties: 'standard',
};
const settings = { operator: 'increment', order: 'desc', reset: 'monthly', buckets: 4 } as const;
const open: BoardState = {
  ...{ settings, closing: new Set<string>(), closed: new Set<string>(), archived: new Map() },
};
const closed: BoardState = { ...open, closed: new Set([query.period]) };
const archived: BoardState = {
  ...closed,
  archived: new Map([[query.period, { players: 1, hash: '' }]]),
};

/** A read model that answers with so many players, and what was asked of it. */
function answering(players: number, asOf: string) {
  const asked: string[] = [];
  const answer = { kind: 'answer', asOf: { 0: asOf } } as const;
  const row = { userId: 'ann', name: null, picture: null, rank: 1, score: 3 };
  const readModel = {
    top: async () => {
      asked.push('top');
      return { ...answer, rows: [row], players };
    },
    entries: async () => ({ ...answer, entries: [] }),
    player: async () => ({ ...answer, player: { name: 'Ann', picture: null } }),
  } as unknown as LeaderboardReadModel;
  return { readModel, asked };
}

function route(options: {
  readonly known: BoardState;
  readonly inLog: BoardState;
  readonly problem?: Error;
}) {
  const hot = answering(1, '9');
  const archive = answering(2, '5');
  let refreshed = 0;
  const readModel = archivedLeaderboardReadModel({
    hot: hot.readModel,
    archive: archive.readModel,
    boards: {
      board: async () => options.known,
      refresh: async () => {
        refreshed += 1;
        return options.inLog;
      },
      problem: () => options.problem,
    },
  });
  return { readModel, hot, archive, refreshed: () => refreshed };
}

test('an open period is answered by the hot read model, without asking the log', async () => {
  const { readModel, archive, refreshed } = route({ known: open, inLog: open });
  expect(await readModel.top(query)).toMatchObject({ players: 1 });
  expect(archive.asked).toEqual([]);
  expect(refreshed()).toBe(0);
});

test('one that is known to be archived is answered by the archive, with names, as of the hot read model', async () => {
  const { readModel, hot } = route({ known: archived, inLog: archived });
  expect(await readModel.top(query)).toEqual({
    ...{ kind: 'answer', asOf: { 0: '9' }, players: 2 },
    rows: [{ userId: 'ann', name: 'Ann', picture: null, rank: 1, score: 3 }],
  });
  expect(hot.asked).toEqual([]);
});

test.each([
  ['a closed period is archived meanwhile', { known: closed, inLog: archived }],
  ['the boards cannot be followed', { known: open, inLog: archived, problem: new Error('away') }],
])('where %s, what the hot read model still said is not believed', async (_, options) => {
  const { readModel, hot, refreshed } = route(options);
  expect(await readModel.top(query)).toMatchObject({ players: 2 });
  expect(hot.asked).toEqual(['top']);
  expect(refreshed()).toBe(1);
});

test('one that is closed and not archived yet is answered by the hot read model', async () => {
  const { readModel, archive } = route({ known: closed, inLog: closed });
  expect(await readModel.top(query)).toMatchObject({ players: 1 });
  expect(archive.asked).toEqual([]);
});
