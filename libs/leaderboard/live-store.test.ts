import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryStorage } from '@annals/event-log';
import { promote, rebuild, verify } from '@annals/projection';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leaderboardEvents } from './events.ts';
import { type ScoreInput, scoreInputSchema } from './input.ts';
import { leaderboardProjection } from './projections/leaderboard.ts';
import { NaiveLeaderboard } from './read-model/naive.ts';
import { categories } from './streams.ts';
import {
  disposeOf,
  type LiveLeaderboard,
  liveLeaderboard,
  newSite,
  type Site,
} from './testing/live-leaderboard.ts';

let site: Site;
let api: LiveLeaderboard;
beforeEach(() => {
  site = newSite(new MemoryStorage({ partitions: 4 }));
});
afterEach(async () => {
  await api.close();
  disposeOf(site);
});

async function start(workers: number): Promise<void> {
  api = await liveLeaderboard(site, { holder: 'first', workers });
}

function score(user_id: string, points: number, match_id = 'm1'): ScoreInput {
  return scoreInputSchema.parse({ user_id, points, match_id });
}

/** Rebuilt beside the live one by two workers, compared row by row, and made the live one. */
async function rebuildAndVerify() {
  const rebuilt = await rebuild({ ...api.operation, workers: 2 });
  expect(rebuilt).toMatchObject({ kind: 'rebuilt' });
  const verified = await verify(api.operation);
  expect(verified).toMatchObject({ kind: 'verified', differences: [], problems: [] });
  expect(await promote(api.operation)).toMatchObject({ kind: 'promoted' });
}

async function naive(): Promise<NaiveLeaderboard> {
  const model = new NaiveLeaderboard();
  const { events } = await api.log.read('start', { categories }, { limit: 10_000 });
  for (const event of await leaderboardEvents.decode(events, api.operation.cipher)) {
    model.apply(event);
  }
  return model;
}

const whole = { limit: 1_000, offset: 0 } as const;

describe('the service over the SQLite store', () => {
  test('answers with the total, through one process and through another', async () => {
    await start(1);
    const other = await liveLeaderboard(site, { holder: 'second' });
    for (let n = 1; n <= 20; n += 1) {
      const [writer, reader] = n % 2 === 0 ? [api, other] : [other, api];
      const result = await writer.leaderboard.recordScore(score('ann', 1, `m${n}`));
      expect(result).toMatchObject({ kind: 'recorded', total: n });
      const minPosition = (result as { position: string }).position;
      const read = await reader.leaderboard.standing({ userId: 'ann', around: 4, minPosition });
      expect(read).toMatchObject({ kind: 'answer', row: { score: n, rank: 1, matches: n } });
    }
    await other.close();
  });

  test('many at once are all told their own total', async () => {
    await start(1);
    const users = Array.from({ length: 100 }, (_, n) => `user-${n}`);
    for (let round = 1; round <= 3; round += 1) {
      const results = await Promise.all(
        users.map((user, n) => api.leaderboard.recordScore(score(user, n % 7, `m${round}`))),
      );
      expect(results).toMatchObject(users.map((_, n) => ({ total: round * (n % 7) })));
    }
  });

  test('agrees with the naive model, and so does what is rebuilt from the log', async () => {
    await start(3);
    const scores = Array.from({ length: 600 }, (_, n) =>
      score(`user-${(n * 7) % 41}`, (n * 13) % 5, `m${n}`),
    );
    const batch = await api.leaderboard.recordScores(scores);
    expect(batch).toMatchObject({ kind: 'batch' });
    await api.leaderboard.putPlayer('user-3', { name: 'Three' });
    await api.leaderboard.closePeriod('default', '2026-10');
    const erased = await api.leaderboard.erasePlayer('user-4');
    const minPosition = (erased as { position: string }).position;
    const before = await api.leaderboard.top({ ...whole, minPosition });
    if (before.kind !== 'answer') throw new Error(before.kind);
    const on = { board: 'default', period: before.period, order: 'desc' } as const;
    const expected = await (await naive()).top({ ...on, ...whole, ties: 'standard' });
    await rebuildAndVerify();
    const after = await api.leaderboard.top(whole);
    for (const answer of [before, after]) {
      expect(answer).toMatchObject({ kind: 'answer', players: 41 });
      expect('rows' in answer && answer.rows).toEqual('rows' in expected && expected.rows);
    }
  });

  test('a player who is erased while being named stays without a name in every worker’s rows', async () => {
    await start(3);
    const users = Array.from({ length: 60 }, (_, n) => `user-${n}`);
    await Promise.all(
      users.map(async (user, n) => {
        await api.leaderboard.recordScore(score(user, 1));
        const naming = [0, 1, 2].map((again) =>
          api.leaderboard.putPlayer(user, { name: `Name ${n} ${again}` }),
        );
        if (n % 2 === 0) await Promise.all([...naming, api.leaderboard.erasePlayer(user)]);
        else await Promise.all(naming);
      }),
    );
    await rebuildAndVerify();
    const top = await api.leaderboard.top(whole);
    const rows = 'rows' in top ? top.rows : [];
    expect(rows).toHaveLength(60);
    for (const { userId, name } of rows) {
      const erased = Number(userId.slice('user-'.length)) % 2 === 0;
      expect(name === null, `${userId} ${name}`).toBe(erased);
    }
  });

  test('without its files, says that it is lost, goes on storing, and is whole again when rebuilt', async () => {
    await start(1);
    await api.leaderboard.recordScore(score('ann', 3));
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(join(site.folder, leaderboardProjection.name, `g1.sqlite${suffix}`), { force: true });
    }
    const read = () => api.leaderboard.top(whole);
    await expect.poll(read, { timeout: 10_000 }).toEqual({ kind: 'lost' });
    const unseen = await api.leaderboard.recordScore(score('bob', 4));
    expect(unseen).toMatchObject({ kind: 'recorded-unseen', duplicate: false });
    expect(await rebuild(api.operation)).toMatchObject({ kind: 'rebuilt' });
    expect(await promote(api.operation)).toMatchObject({ kind: 'promoted' });
    const minPosition = (unseen as { position: string }).position;
    expect(await api.leaderboard.top({ ...whole, minPosition })).toMatchObject({
      rows: [
        { userId: 'bob', score: 4, rank: 1 },
        { userId: 'ann', score: 3, rank: 2 },
      ],
    });
  });
});
