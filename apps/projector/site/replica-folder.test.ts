import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openReplica, ownReplicaFolder, type ReplicaOwner } from '@annals/event-log-sqlite/replica';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withReplica } from './replica-folder.ts';

let folder: string;
let owners: ReplicaOwner[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-replicas-'));
  owners = [];
});

afterEach(() => {
  for (const owner of owners) owner.release();
  rmSync(folder, { recursive: true });
});

/** Opens like an adapter: takes the folder, and makes the file of a partition. */
const take = () =>
  withReplica(folder, async (replica) => {
    const owner = ownReplicaFolder(replica);
    owners.push(owner);
    openReplica(replica, 0).replica.close();
    return { replica, release: () => owner.release() };
  });

it('each opening has a replica of its own, the first one that is free', async () => {
  const first = await take();
  const second = await take();
  expect([first.replica, second.replica]).toEqual([join(folder, '1'), join(folder, '2')]);
  first.release();
  expect((await take()).replica).toBe(join(folder, '1'));
});

it('a new one begins as a copy of another one', async () => {
  await take();
  let seen: string[] = [];
  await withReplica(folder, async (replica) => {
    seen = readdirSync(replica);
    return replica;
  });
  expect(seen).toContain('partition-00000');
  expect(existsSync(join(folder, '2', 'partition-00000'))).toBe(true);
});

it('what keeps a log from being opened is told, and no other replica tried', async () => {
  const opening = withReplica(folder, () => Promise.reject(new Error('no broker answers')));
  await expect(opening).rejects.toThrow('no broker answers');
  expect(readdirSync(folder)).toEqual(['1']);
});

it('there is a bound of replicas', async () => {
  for (let number = 1; number <= 32; number += 1) await take();
  await expect(take()).rejects.toMatchObject({ name: 'ReplicaTakenError' });
});
