import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { dataLayout } from '@annals/projector';
import { keyFileName } from '@annals/subject-keys';
import { describe, expect, it, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, temporaryFolder } from './testing/cli.ts';
import { filesHolding, namePlayer, scoredFolder } from './testing/data-folder.ts';

// Files are synced, and the machine may be busy: slow is no failure here.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const name = 'Ann Unmistakable';

interface Erased {
  readonly key_destroyed: boolean;
  readonly erased_before: boolean;
  readonly generations: readonly { readonly generation: string; readonly result: string }[];
}

/** A folder with two generations that hold the name, and one that stands still at a time before. */
async function folderWithName() {
  const folder = await scoredFolder(100);
  await namePlayer(folder, 'ann', name);
  await namePlayer(folder, 'bob', 'Bob Keepsake');
  const data = ['--data', folder];
  await annals(['rebuild', 'leaderboard', ...data]);
  await annals(['promote', 'leaderboard', ...data]);
  await annals(['rebuild', 'leaderboard', ...data]);
  const { checkpoint } = await annalsJson<{ checkpoint: string }>(['log', 'head', ...data]);
  await annals(['rebuild', 'leaderboard', '--until', checkpoint, ...data]);
  return { folder, data };
}

function playersIn(folder: string, generation: number): unknown {
  const projections = dataLayout(folder).projections;
  using db = new DatabaseSync(join(projections, 'leaderboard', `g${generation}.sqlite`));
  return db.prepare('SELECT user_id, name FROM players ORDER BY user_id').all();
}

describe('subjects erase', () => {
  it('leaves the name nowhere below the data folder, and everything else as it was', async () => {
    const { folder, data } = await folderWithName();
    expect((await filesHolding(folder, name)).length).toBeGreaterThanOrEqual(3);
    const keysBackup = await temporaryFolder();
    await cp(dataLayout(folder).keys, keysBackup, { recursive: true });

    const argv = ['subjects', 'erase', 'player:ann', '--yes', ...data];
    expect(await annalsJson<Erased>(argv)).toMatchObject({
      key_destroyed: true,
      erased_before: false,
      generations: [
        { generation: 'g1', result: 'purged' },
        { generation: 'g2', result: 'purged' },
        { generation: 'g3', result: 'dropped' },
      ],
    });
    expect(await filesHolding(folder, name)).toEqual([]);
    expect(playersIn(folder, 1)).toEqual([
      { user_id: 'ann', name: null },
      { user_id: 'bob', name: 'Bob Keepsake' },
    ]);

    await annals(['promote', 'leaderboard', ...data]);
    expect((await annals(['rollback', 'leaderboard', ...data])).code).toBe(exitCodes.ok);
    // A backup of the keys that was made before is put back: the key goes again, before it is used.
    await mkdir(dataLayout(folder).keys, { recursive: true });
    await cp(join(keysBackup, keyFileName), join(dataLayout(folder).keys, keyFileName));
    const rebuilt = await annals(['rebuild', 'leaderboard', ...data]);
    expect(rebuilt.code).toBe(exitCodes.ok);
    expect((await annals(['verify', 'leaderboard', ...data])).out).toMatch(/the same in every row/);
    expect(await filesHolding(folder, name)).toEqual([]);
    expect(await annalsJson<object>(['log', 'verify', ...data])).toMatchObject({ sound: true });
  });

  it('is safe to repeat, and says what it found', async () => {
    const { data } = await folderWithName();
    const argv = ['subjects', 'erase', 'player:ann', ...data];
    const asked = await annals(argv);
    expect(asked.code).toBe(exitCodes.usage);
    expect(asked.err).toMatch(
      /Erase the personal data of player:ann, for good\? Dropped with it, as they stand still: leaderboard g3 \(frozen\)\. Say --yes/,
    );
    const first = await annals([...argv, '--yes']);
    expect(first.out).toMatch(/^player:ann is erased: the log says so, its key is destroyed\n/);
    const again = await annalsJson<Erased>([...argv, '--yes']);
    expect(again).toMatchObject({ key_destroyed: false, erased_before: true });
    // Those of every product: nobody has to know which of them knew the person.
    expect(again.generations).toMatchObject([
      { projection: 'leaderboard', generation: 'g1', result: 'purged' },
      { projection: 'leaderboard', generation: 'g2', result: 'purged' },
      { projection: 'ledger', generation: 'g1', result: 'purged' },
      { projection: 'wallets', generation: 'g1', result: 'purged' },
      { projection: 'payments', generation: 'g1', result: 'purged' },
      { projection: 'webhooks', generation: 'g1', result: 'purged' },
      { projection: 'reconciliation', generation: 'g1', result: 'purged' },
    ]);
  });

  it('warns of a subject that was never seen', async () => {
    const folder = await scoredFolder(5);
    const { err } = await annals(['subjects', 'erase', 'player:nobody', '--data', folder]);
    expect(err).toContain('The key store has never seen this subject.');
  });
});
