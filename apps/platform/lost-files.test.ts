import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { repairCommand } from '@annals/leaderboard-api';
import { dataLayout } from '@annals/projector';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { operate } from './testing/operate.ts';
import { filesBelow } from './testing/raw-bytes.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let data: Awaited<ReturnType<typeof temporaryFolder>>;
let platform: OpenPlatform;
let board: unknown;

/** One story: each test goes on where the one before it stopped. */
beforeAll(async () => {
  data = await temporaryFolder();
  platform = await openPlatform({ folder: data.path });
  for (let player = 1; player <= 20; player += 1) {
    const body = { user_id: `p${player}`, points: player % 7, match_id: 'm1' };
    await platform.call('POST /v1/scores', { body });
  }
  board = (await read()).body.data;
});
afterAll(async () => {
  await platform.stop();
  await data.remove();
});

const read = (more = '') => platform.call(`GET /v1/scores?limit=50${more}`);
const post = (match_id: string) =>
  platform.call('POST /v1/scores', { body: { user_id: 'late', points: 50, match_id } });

const routesThatRead = [
  ['GET /v1/scores'],
  ['GET /v1/scores/p1'],
  ['GET /v1/scores/p1/history'],
  ['GET /v1/players/p1'],
  ['POST /v1/scores/ranks', { user_ids: ['p1'] }],
  ['GET /v1/leaderboards/default/live'],
] as const;

async function expectLost() {
  for (const [route, body] of routesThatRead) {
    const answer = await platform.call(route, body ? { body } : {});
    expect(answer, route).toMatchObject({
      status: 503,
      body: { code: 'read-model-lost', command: repairCommand },
    });
    expect(answer.body.detail).toContain(repairCommand);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
  const ready = await platform.call('GET /readyz');
  // A balancer would take the writes out with the reads.
  expect(ready.status).toBe(200);
  const detail = `the read model is lost: ${repairCommand}`;
  expect(ready.body).toMatchObject({ status: 'degraded' });
  expect(ready.body.checks).toContainEqual({
    ...{ name: 'leaderboard', ready: true, degraded: true },
    detail,
  });
}

async function repair() {
  expect(await operate(data.path, 'rebuild')).toBe('rebuilt');
  expect(await operate(data.path, 'verify')).toBe('verified');
  expect(await operate(data.path, 'promote')).toBe('promoted');
  await until('a board that is read', async () =>
    (await read()).status === 200 ? true : undefined,
  );
}

describe("the read model's files are deleted while the service runs", () => {
  it('reads are 503 with the commands that repair it; writes go on: 202', async () => {
    await rm(join(dataLayout(data.path).projections), { recursive: true });
    await until('it is noticed', async () => ((await read()).status === 503 ? true : undefined));
    await expectLost();
    const written = await post('m1');
    expect(written).toMatchObject({ status: 202, body: { total: null, duplicate: false } });
    expect(typeof written.body.position).toBe('string');
    expect(await post('m1')).toMatchObject({ status: 202, body: { duplicate: true } });
    const named = await platform.call('PUT /v1/players/late', { body: { name: 'Late' } });
    expect(named.status).toBe(200);
  });

  it('after the repair not one rank differs, and what was written meanwhile is there', async () => {
    await repair();
    const { body } = await read();
    expect(body.data[0]).toMatchObject({ user_id: 'late', user_name: 'Late', score: 50, rank: 1 });
    const others = body.data
      .slice(1)
      .map((row: { rank: number }) => ({ ...row, rank: row.rank - 1 }));
    expect(others).toEqual(board);
    // The read models of payments are lost still: each is repaired by itself.
    const { checks } = (await platform.call('GET /readyz')).body;
    expect(checks).toContainEqual({ name: 'leaderboard', ready: true });
    expect(await post('m2')).toMatchObject({ status: 200, body: { total: 100 } });
  });
});

describe('the service starts on another log than the one its read models were made from', () => {
  const own = () => dataLayout(data.path).log;
  let other: Awaited<ReturnType<typeof temporaryFolder>>;
  afterAll(() => other.remove());

  it('they are lost: reads are 503, and nothing of that log is folded onto them', async () => {
    other = await temporaryFolder();
    const strange = await openPlatform({ folder: other.path });
    await strange.call('POST /v1/scores', {
      body: { user_id: 'stranger', points: 3, match_id: 's1' },
    });
    await strange.stop();
    await platform.stop();
    await rename(own(), `${own()}.own`);
    await cp(dataLayout(other.path).log, own(), { recursive: true });
    platform = await openPlatform({ folder: data.path });
    await expectLost();
    expect(await post('m1')).toMatchObject({ status: 202, body: { total: null } });
  });

  it('with their own log in its place again they are as they were', async () => {
    await platform.stop();
    await rm(own(), { recursive: true });
    await rename(`${own()}.own`, own());
    platform = await openPlatform({ folder: data.path });
    await until('a board that is read', async () =>
      (await read()).status === 200 ? true : undefined,
    );
    expect((await read()).body.data.map((row: { user_id: string }) => row.user_id)).not.toContain(
      'stranger',
    );
    expect(await post('m1')).toMatchObject({ status: 200, body: { duplicate: true, total: 50 } });
  });
});

describe('the service starts on an older backup of its log', () => {
  it('reads are 503, nothing is folded onto the read model, and a rebuild brings what the log says', async () => {
    const { log } = dataLayout(data.path);
    await platform.stop();
    await cp(log, `${log}.backup`, { recursive: true });
    platform = await openPlatform({ folder: data.path });
    for (const match of ['lost-1', 'lost-2']) await post(match);
    await platform.stop();
    await rm(log, { recursive: true });
    await rename(`${log}.backup`, log);

    platform = await openPlatform({ folder: data.path, visibleMsMax: 500 });
    for (const match of ['new-1', 'new-2', 'new-3']) {
      expect((await post(match)).status, match).toBe(202);
    }
    await expectLost();
    await repair();
    expect((await read()).body.data[0]).toMatchObject({ user_id: 'late', score: 250 });
    expect((await post('new-4')).status).toBe(200);
  });
});

describe('the service starts with every file but the log deleted', () => {
  it('it is lost, not empty: reads are 503, writes go on, nothing is rebuilt unasked', async () => {
    board = (await read()).body.data;
    await platform.stop();
    for (const file of filesBelow(data.path).filter((one) => !one.startsWith('log/'))) {
      await rm(join(data.path, file));
    }
    platform = await openPlatform({ folder: data.path });
    await expectLost();
    expect(await post('m3')).toMatchObject({ status: 202, body: { total: null } });
    expect(filesBelow(data.path).filter((file) => file.startsWith('projections/'))).toEqual([]);
    const batch = [{ user_id: 'late', points: 50, match_id: 'm1' }];
    const { body } = await platform.call('POST /v1/scores/batch', { body: { scores: batch } });
    expect(body.data[0]).toMatchObject({ result: 'duplicate', total: null });
  });
});
