import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLayout } from '@annals/projector';
import { backupSubjectKeys } from '@annals/subject-keys';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { operate } from './testing/operate.ts';
import { filesBelow, filesHolding } from './testing/raw-bytes.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const name = 'Zenobia Quillfeather';
const picture = 'https://pictures.example/quillfeather.png';
const traces = ['Quillfeather', 'quillfeather.png', 'Zenobia'];

let data: Awaited<ReturnType<typeof temporaryFolder>>;
let elsewhere: Awaited<ReturnType<typeof temporaryFolder>>;
let platform: OpenPlatform;
let boardBefore: unknown;

/** One story: each test goes on where the one before it stopped. */
beforeAll(async () => {
  data = await temporaryFolder();
  elsewhere = await temporaryFolder();
  platform = await openPlatform({ folder: data.path });
});
afterAll(async () => {
  await platform.stop();
  await data.remove();
  await elsewhere.remove();
});

const call = (route: string, body?: object) =>
  platform.call(route, body === undefined ? {} : { body });
const filesWithTraces = () => [
  ...new Set(traces.flatMap((trace) => filesHolding(data.path, trace))),
];
const nowhere = () =>
  until(`no trace in ${data.path}`, () => (filesWithTraces().length === 0 ? true : undefined));

async function names(): Promise<{ [user: string]: string | null }> {
  const { body } = await call('GET /v1/scores');
  return Object.fromEntries(
    body.data.map((row: { user_id: string; user_name: string | null }) => [
      row.user_id,
      row.user_name,
    ]),
  );
}

/** The board without names: what must not change by an erasure. */
async function board() {
  const { body } = await call('GET /v1/scores');
  return body.data.map(({ user_id, rank, score }: { [column: string]: unknown }) => [
    user_id,
    rank,
    score,
  ]);
}

describe('before the erasure', () => {
  it('the name is found through the API, and in the files of every generation', async () => {
    for (const [user_id, points] of [
      ['zen', 9],
      ['bob', 5],
    ] as const) {
      await call('POST /v1/scores', { user_id, points, match_id: 'm1' });
    }
    await call('PUT /v1/players/bob', { name: 'Bob Stays' });
    const named = await call('PUT /v1/players/zen', { name, picture });
    const { body } = await call(`GET /v1/scores/zen?min-position=${named.body.position}`);
    expect(body.user_info).toMatchObject({ user_name: name, picture });
    expect(await operate(data.path, 'rebuild')).toBe('rebuilt');
    expect(await operate(data.path, 'verify')).toBe('verified');
    expect(await operate(data.path, 'promote')).toBe('promoted');
    const generations = new Set(
      filesWithTraces().flatMap((file) => file.match(/g\d+\.sqlite/)?.[0] ?? []),
    );
    expect([...generations].sort()).toEqual(['g1.sqlite', 'g2.sqlite']);
    boardBefore = await board();
  });

  it('it is in no file of the log, where it is sealed, and in none of the keys', () => {
    expect(filesBelow(data.path).some((file) => file.startsWith('log/'))).toBe(true);
    expect(filesBelow(data.path).some((file) => file.startsWith('keys/'))).toBe(true);
    expect(filesWithTraces().filter((file) => !file.startsWith('projections/'))).toEqual([]);
  });
});

describe('after DELETE /v1/players/{user_id}', () => {
  it('the API shows the name no more, and everything else as before', async () => {
    const { keys } = dataLayout(data.path);
    await backupSubjectKeys({ folder: keys, to: join(elsewhere.path, 'keys.sqlite') });
    expect((await call('DELETE /v1/players/zen')).status).toBe(204);
    expect(await names()).toEqual({ zen: null, bob: 'Bob Stays' });
    const { body } = await call('GET /v1/scores/zen');
    expect(body.user_info).toMatchObject({ user_name: null, picture: null, rank: 1, score: 9 });
    expect(await board()).toEqual(boardBefore);
  });

  it('the name is nowhere under the data folder', async () => {
    await nowhere();
    expect(await names()).toEqual({ zen: null, bob: 'Bob Stays' });
  });

  it('naming the player again is refused: 409 player-erased', async () => {
    const again = await call('PUT /v1/players/zen', { name, picture });
    expect(again).toMatchObject({ status: 409, body: { code: 'player-erased' } });
    expect((await call('DELETE /v1/players/zen')).status).toBe(204);
    await nowhere();
  });

  it('also after a rollback', async () => {
    expect(await operate(data.path, 'rollback')).toBe('rolled-back');
    await nowhere();
    expect(await names()).toEqual({ zen: null, bob: 'Bob Stays' });
  });

  it('also after a rebuild: everything else replays', async () => {
    expect(await operate(data.path, 'rebuild')).toBe('rebuilt');
    expect(await operate(data.path, 'verify')).toBe('verified');
    expect(await operate(data.path, 'promote')).toBe('promoted');
    await nowhere();
    expect(await names()).toEqual({ zen: null, bob: 'Bob Stays' });
    expect(await board()).toEqual(boardBefore);
  });

  it('also after an old backup of the keys is put back and the service started again', async () => {
    const { keys } = dataLayout(data.path);
    await platform.stop();
    const [keyFile, ...others] = filesBelow(keys).filter((file) => file.includes('.sqlite'));
    for (const other of others) await rm(join(keys, other));
    await copyFile(join(elsewhere.path, 'keys.sqlite'), join(keys, keyFile as string));
    platform = await openPlatform({ folder: data.path });
    expect(await names()).toEqual({ zen: null, bob: 'Bob Stays' });
    const again = await call('PUT /v1/players/zen', { name, picture });
    expect(again).toMatchObject({ status: 409, body: { code: 'player-erased' } });
    expect(await operate(data.path, 'rebuild')).toBe('rebuilt');
    expect(await operate(data.path, 'promote')).toBe('promoted');
    await nowhere();
    expect(await names()).toEqual({ zen: null, bob: 'Bob Stays' });
    expect(await board()).toEqual(boardBefore);
  });
});
