import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadMasterKey, loadNextKey, readMasterKey } from '../master-key.ts';
import { rawBytes } from '../testing/raw-bytes.ts';
import { keyFileName } from './key-file.ts';
import { rotateMasterKey, rotateMasterKeyFile } from './master-key-rotation.ts';
import { sqliteSubjectKeyStore } from './sqlite-subject-key-store.ts';

const from = Buffer.alloc(32, 1);
const to = Buffer.alloc(32, 2);
const wrong = expect.objectContaining({ code: 'wrong-master-key' });
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-keys-'));
  file = join(folder, 'master.key');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes `subjects` with keys, erases player:erased, and tells all that is stored. */
async function fill(masterKey: Uint8Array, subjects: readonly string[]) {
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  await store.create([...subjects, 'player:erased']);
  await store.destroy(['player:erased']);
  const stored = await store.get([...subjects, 'player:erased']);
  await store.close();
  return stored;
}

async function storedUnder(masterKey: Uint8Array, subjects: Iterable<string>) {
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  const stored = await store.get([...subjects]);
  await store.close();
  return stored;
}

test('every key stays the same under the new master key, and the old one opens nothing', async () => {
  const subjects = Array.from({ length: 2_500 }, (_, i) => `player:${i}`);
  const before = await fill(from, subjects);
  expect(await rotateMasterKey({ folder, from, to })).toBe(2_500);
  await expect(sqliteSubjectKeyStore({ folder, masterKey: from })).rejects.toEqual(wrong);
  const after = await storedUnder(to, before.keys());
  expect(after.size).toBe(2_501);
  for (const [subject, entry] of before) expect(after.get(subject)).toEqual(entry);
});

test('keys wrapped under the old master key are nowhere in the folder afterwards', async () => {
  await fill(from, ['player:ann']);
  const db = new DatabaseSync(join(folder, keyFileName), { readOnly: true });
  const { wrapped } = db.prepare('SELECT wrapped FROM subject_key WHERE erased = 0').get() as {
    wrapped: Uint8Array;
  };
  db.close();
  expect(rawBytes(folder).includes(Buffer.from(wrapped))).toBe(true);
  await rotateMasterKey({ folder, from, to });
  expect(rawBytes(folder).includes(Buffer.from(wrapped))).toBe(false);
});

test('a store that was open under the old master key neither reads nor writes any more', async () => {
  await fill(from, ['player:ann']);
  const open = await sqliteSubjectKeyStore({ folder, masterKey: from });
  await rotateMasterKey({ folder, from, to });
  await expect(open.get(['player:ann'])).rejects.toEqual(wrong);
  await expect(open.create(['player:new'])).rejects.toEqual(wrong);
  await expect(open.destroy(['player:ann'])).rejects.toEqual(wrong);
  await open.close();
  const after = await storedUnder(to, ['player:ann', 'player:new']);
  expect([...after.keys()]).toEqual(['player:ann']);
});

test('from a wrong master key nothing is rotated', async () => {
  await fill(from, ['player:ann']);
  await expect(rotateMasterKey({ folder, from: to, to: from })).rejects.toEqual(wrong);
  expect((await storedUnder(from, ['player:ann'])).get('player:ann')?.kind).toBe('key');
});

test('a key file is rotated together with the store', async () => {
  const old = loadMasterKey({ file });
  const before = await fill(old, ['player:ann']);
  await rotateMasterKeyFile({ folder, file });
  const next = loadMasterKey({ file });
  expect(next).not.toEqual(old);
  expect(await storedUnder(next, before.keys())).toEqual(before);
  expect(readdirSync(folder).filter((name) => name.includes('master'))).toEqual(['master.key']);
});

test.each(['before the keys were wrapped again', 'before the new key file took its place'])(
  'a rotation interrupted %s is finished by running it again',
  async (point) => {
    const old = loadMasterKey({ file });
    const before = await fill(old, ['player:ann']);
    const next = loadNextKey(file);
    if (point.includes('took its place')) await rotateMasterKey({ folder, from: old, to: next });
    expect(() => loadMasterKey({ file })).toThrow(
      expect.objectContaining({ code: 'rotation-unfinished' }),
    );
    await rotateMasterKeyFile({ folder, file });
    expect(readMasterKey(file)).toEqual(next);
    expect(await storedUnder(next, before.keys())).toEqual(before);
  },
);

test('a rotation whose key file is gone changes nothing', async () => {
  const old = loadMasterKey({ file });
  const before = await fill(old, ['player:ann']);
  loadNextKey(file);
  renameSync(file, `${file}.away`);
  await expect(rotateMasterKeyFile({ folder, file })).rejects.toThrow('ENOENT');
  expect(await storedUnder(old, before.keys())).toEqual(before);
});
