import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Projection, promote, type Row, rebuild, verify } from '@annals/projection';
import { liveReader, sqliteProjectionStore } from '@annals/store-sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { followBoards } from '../board-directory.ts';
import { decideScore } from '../decide.ts';
import { leaderboardEvents } from '../events.ts';
import { scoreInputSchema } from '../input.ts';
import { limits } from '../limits.ts';
import { leaderboardArchiveProjection, leaderboardProjection } from '../projections/leaderboard.ts';
import type { LeaderboardReadModel } from '../read-model/port.ts';
import { sqliteLeaderboardReadModel } from '../read-model/sqlite.ts';
import { bucketOf, scoresStream } from '../streams.ts';
import {
  type ArchivedLeaderboard,
  archivedLeaderboard,
  type StorePlace,
} from '../testing/archived-leaderboard.ts';
import { readsOf } from '../testing/live-leaderboard.ts';
import { archivePeriods } from './archive-periods.ts';
import { nameOfPeriod } from './period-digest.ts';

function sqlitePlace(): StorePlace {
  const folder = mkdtempSync(join(tmpdir(), 'annals-archive-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const clock = systemClock;
  return {
    store: ({ name: projection }) => sqliteProjectionStore({ folder, projection, clock }),
    reads: ({ name: projection }, liveGeneration) => {
      const live = liveReader({ folder, projection, liveGeneration, clock });
      return {
        readModel: sqliteLeaderboardReadModel(readsOf(live)),
        isReady: async () => live.current().kind === 'ready',
        close: async () => live.close(),
      };
    },
  };
}

async function start(): Promise<ArchivedLeaderboard> {
  const opened = await archivedLeaderboard({ hot: sqlitePlace(), archive: sqlitePlace() });
  onTestFinished(() => opened.close());
  return opened;
}

const board = 'cup';
const players = Array.from({ length: 12 }, (_, n) => `player-${n}`);
const buckets = limits.bucketsDefault;
const closedPeriod = '2026-01';
const openPeriod = '2026-02';
const closed = { board, period: closedPeriod, order: 'desc' } as const;

/** Two periods of a board with ties, names and an erasure; the first of them is closed. */
const none: ReadonlySet<string> = new Set();

async function play({ leaderboard, log, operation }: ArchivedLeaderboard): Promise<void> {
  const settings = { operator: 'increment', order: 'desc', reset: 'monthly' } as const;
  const { cipher } = operation(leaderboardProjection);
  await leaderboard.putBoard(board, settings);
  for (const [month, period] of [closedPeriod, openPeriod].entries()) {
    await leaderboard.recordScores(
      Array.from({ length: 60 }, (_, n) =>
        scoreInputSchema.parse({
          ...{
            leaderboard: board,
            user_id: players[(n * 7 + month) % 12],
            match_id: `${month}-${n}`,
          },
          ...{ points: (n * 13) % 5, occurred_at: `${period}-10T12:00:00Z` },
        }),
      ),
    );
  }
  await leaderboard.putPlayer('player-3', { name: 'Three' });
  await leaderboard.putPlayer('player-4', { name: 'Four' });
  await leaderboard.erasePlayer('player-4');
  expect(await leaderboard.closePeriod(board, closedPeriod)).toMatchObject({ kind: 'closed' });
  // A score of a process that had not heard of the close: it comes too late.
  const late = scoreInputSchema.parse({
    ...{ leaderboard: board, user_id: 'player-1', match_id: 'late', points: 3 },
    occurred_at: `${closedPeriod}-11T12:00:00Z`,
  });
  const settingsBefore = { settings: { ...settings, buckets }, closing: none, closed: none };
  const decided = decideScore({ ...settingsBefore, archived: new Map() }, late, Date.now());
  if (decided.kind !== 'append') throw new Error(decided.kind);
  const encoded = await leaderboardEvents.encode([decided.event], cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await log.append(decided.stream, encoded.events, { expected: 'any' });
}

/** Everything that can be asked of both periods. */
async function answers(readModel: LeaderboardReadModel): Promise<unknown> {
  const all: unknown[] = [];
  for (const period of [closedPeriod, openPeriod]) {
    const on = { ...closed, period };
    for (const ties of ['standard', 'dense'] as const) {
      all.push(await readModel.top({ ...on, limit: 100, offset: 0, ties }));
      all.push(await readModel.top({ ...on, limit: 4, offset: 7, ties }));
      all.push(await readModel.ranks({ ...on, userIds: players.slice(5, 10), ties }));
    }
    for (const userId of [...players, 'nobody']) {
      all.push(await readModel.standing({ ...on, userId, around: 3, ties: 'standard' }));
      const stream = scoresStream(board, bucketOf(userId, buckets));
      all.push(await readModel.history({ ...on, userId, stream, from: undefined, limit: 3 }));
    }
  }
  const places = [
    ...new Set(players.map((userId) => scoresStream(board, bucketOf(userId, buckets)))),
  ].flatMap((stream) => Array.from({ length: 30 }, (_, revision) => ({ stream, revision })));
  all.push(await readModel.entries(places));
  return all;
}

/** The answers without what they are as of: the naive model is told of no later events. */
function withoutPlace(all: unknown): unknown {
  return (all as { readonly asOf: unknown }[]).map(({ asOf: _, ...rest }) => rest);
}

async function expectUnchanged(opened: ArchivedLeaderboard): Promise<void> {
  await opened.settled();
  const wanted = await answers(await opened.naive());
  expect(withoutPlace(await answers(opened.readModel))).toEqual(withoutPlace(wanted));
}

async function rowsOf(
  opened: ArchivedLeaderboard,
  projection: Projection,
  table: string,
): Promise<readonly Row[]> {
  const generation = await opened.live(projection);
  const snapshot = await generation.snapshot();
  const rows: Row[] = [];
  for await (const page of snapshot.rows(table)) rows.push(...page);
  await snapshot.close();
  await generation.close();
  return rows;
}

const inClosed = (rows: readonly Row[]) => rows.filter(({ period }) => period === closedPeriod);

describe('a closed period', () => {
  test('leaves the read model for the archive, and every answer stays what it was', async () => {
    const opened = await start();
    await play(opened);
    await expectUnchanged(opened);
    const entriesBefore = (await rowsOf(opened, leaderboardProjection, 'entries')).length;
    expect(await opened.archive()).toEqual([
      { board, period: closedPeriod, kind: 'archived', players: 12, letGo: 12 },
    ]);
    await expectUnchanged(opened);
    expect(inClosed(await rowsOf(opened, leaderboardProjection, 'scores'))).toEqual([]);
    expect(inClosed(await rowsOf(opened, leaderboardArchiveProjection, 'scores'))).toHaveLength(12);
    // The matches are gone with the players, and so is the one that came too late.
    const entriesLeft = (await rowsOf(opened, leaderboardProjection, 'entries')).length;
    expect(entriesBefore - entriesLeft).toBe(61);
    expect(await rowsOf(opened, leaderboardArchiveProjection, 'players')).toEqual([]);

    expect(await opened.archive()).toMatchObject([{ kind: 'archived', players: 12, letGo: 0 }]);
    const done = new Set([nameOfPeriod({ board, period: closedPeriod })]);
    expect(await opened.archive(opened.log, done)).toEqual([]);
    await opened.leaderboard.putPlayer('player-7', { name: 'Seven' });
    await opened.leaderboard.erasePlayer('player-3');
    await expectUnchanged(opened);
  });

  test('is rebuilt and verified with the log’s word on what was let go, and so is the archive', async () => {
    const opened = await start();
    await play(opened);
    await opened.settled();
    await opened.archive();
    for (const projection of [leaderboardProjection, leaderboardArchiveProjection]) {
      const operation = opened.operation(projection);
      expect(await rebuild({ ...operation, workers: 2 })).toMatchObject({ kind: 'rebuilt' });
      expect(await verify(operation)).toMatchObject({
        ...{ kind: 'verified', differences: [], problems: [] },
      });
      expect(await promote(operation)).toMatchObject({ kind: 'promoted' });
    }
    await expectUnchanged(opened);
    expect(inClosed(await rowsOf(opened, leaderboardProjection, 'scores'))).toEqual([]);
    expect(await opened.archive()).toMatchObject([{ kind: 'archived', letGo: 0 }]);
  });

  test('an archiver that dies at whatever step loses no row and doubles none', async () => {
    const opened = await start();
    await play(opened);
    for (let appends = 0; ; appends += 1) {
      let left = appends;
      const dying: Pick<EventLog, 'append' | 'readStream'> = {
        readStream: (...args) => opened.log.readStream(...args),
        append: async (...args) => {
          // Every other one dies after the append took effect.
          if (left === 0 && appends % 2 === 0) throw new Error('dead before');
          const result = await opened.log.append(...args);
          if (left === 0) throw new Error('dead after');
          left -= 1;
          return result;
        },
      };
      await opened.settled();
      const died = await opened.archive(dying).catch((error: Error) => error);
      await expectUnchanged(opened);
      const hot = inClosed(await rowsOf(opened, leaderboardProjection, 'scores'));
      const archived = inClosed(await rowsOf(opened, leaderboardArchiveProjection, 'scores'));
      expect(archived).toHaveLength(12);
      if (!(died instanceof Error)) {
        expect(hot).toEqual([]);
        break;
      }
      expect(appends).toBeLessThan(20);
    }
  }, 120_000);

  test('that the archive does not hold as it was is not let go', async () => {
    const opened = await start();
    await play(opened);
    await opened.settled();
    const operation = opened.operation(leaderboardArchiveProjection);
    const archive = await opened.live(leaderboardArchiveProjection);
    const real = await archive.snapshot();
    const damaged = Object.assign(Object.create(archive), {
      snapshot: async () => ({
        checkpoint: real.checkpoint,
        close: () => real.close(),
        async *rows(table: string) {
          for await (const page of real.rows(table)) {
            yield page.map((row) =>
              table === 'scores' && row.user_id === 'player-9' ? { ...row, matches: 0 } : row,
            );
          }
        },
      }),
    });
    const hot = await opened.live(leaderboardProjection);
    const { log, cipher, clock } = operation;
    const boards = followBoards({ log, cipher, clock });
    const means = { log, cipher, clock, boards, hot, archiveAfterMs: 0 };
    const outcomes = await archivePeriods({ ...means, archive: damaged });
    expect(outcomes).toMatchObject([
      { kind: 'differs', detail: expect.stringContaining('12 players') },
    ]);
    expect(inClosed(await rowsOf(opened, leaderboardProjection, 'scores'))).toHaveLength(12);
    expect((await boards.refresh(board))?.archived.size).toBe(0);
    // Nor is one that was closed only now.
    expect(await archivePeriods({ ...means, archive, archiveAfterMs: 3_600_000 })).toEqual([]);
    await boards.close();
    await hot.close();
    await archive.close();
  });

  test('is lost with its archive, while the open one goes on', async () => {
    const opened = await start();
    await play(opened);
    await opened.settled();
    await opened.archive();
    await opened.settled();
    await opened.operation(leaderboardArchiveProjection).store.drop(1);
    const top = { limit: 10, offset: 0, ties: 'standard' } as const;
    await expect
      .poll(() => opened.readModel.top({ ...closed, ...top }), { timeout: 10_000 })
      .toEqual({ kind: 'lost', of: 'archive' });
    const open = await opened.readModel.top({ ...closed, period: openPeriod, ...top });
    expect(open).toMatchObject({ kind: 'answer', players: 12 });
  });
});
