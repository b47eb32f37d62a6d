import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyFileName } from './key-file.ts';
import { sqliteSubjectKeyStore } from './sqlite-subject-key-store.ts';

const masterKey = Buffer.alloc(32, 1);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (key: Uint8Array = masterKey) => sqliteSubjectKeyStore({ folder, masterKey: key });
const failure = (code: string) => expect.objectContaining({ name: 'SubjectKeyStoreError', code });
const changeFile = (statement: string) => {
  const db = new DatabaseSync(join(folder, keyFileName));
  db.exec(statement);
  db.close();
};

async function storeWith(...subjects: string[]): Promise<void> {
  const store = await open();
  await store.create(subjects);
  await store.close();
}

describe('opening', () => {
  test('makes the folder and the file, both for their owner only', async () => {
    folder = join(folder, 'data', 'keys');
    await storeWith('player:ann');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, keyFileName)).mode & 0o777).toBe(0o600);
  });

  test('many at once in an empty folder all succeed and share their keys', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
    const keys = await Promise.all(stores.map((store) => store.create(['player:ann'])));
    expect(new Set(keys.map((key) => JSON.stringify([...key]))).size).toBe(1);
    for (const store of stores) await store.close();
  });

  test('refuses another master key, and changes nothing', async () => {
    await storeWith('player:ann');
    await expect(open(Buffer.alloc(32, 2))).rejects.toEqual(failure('wrong-master-key'));
    const store = await open();
    expect((await store.get(['player:ann'])).get('player:ann')?.kind).toBe('key');
    await store.close();
  });

  test('refuses a master key of another size', async () => {
    await expect(open(Buffer.alloc(16, 1))).rejects.toThrow(TypeError);
  });

  test('refuses a newer format', async () => {
    await storeWith('player:ann');
    changeFile('PRAGMA user_version = 2');
    await expect(open()).rejects.toEqual(failure('newer-format'));
  });

  test('refuses a database that is no key store', async () => {
    changeFile('CREATE TABLE other (x)');
    await expect(open()).rejects.toEqual(failure('not-a-key-store'));
  });

  test('refuses a file that is no database', async () => {
    writeFileSync(join(folder, keyFileName), 'this is not a database, but a text of some length\n');
    await expect(open()).rejects.toEqual(failure('not-a-key-store'));
  });

  test('says so when the folder cannot be made', async () => {
    writeFileSync(join(folder, 'file'), '');
    folder = join(folder, 'file');
    await expect(open()).rejects.toEqual(failure('io'));
    folder = join(folder, '..');
    mkdirSync(join(folder, keyFileName));
    await expect(open()).rejects.toEqual(failure('io'));
  });
});

describe('a file that was tampered with', () => {
  test('a wrapped key moved to another subject does not open', async () => {
    await storeWith('player:ann', 'player:bob');
    changeFile(`UPDATE subject_key SET wrapped = (SELECT wrapped FROM subject_key
      WHERE subject = 'player:bob') WHERE subject = 'player:ann'`);
    const store = await open();
    await expect(store.get(['player:ann'])).rejects.toEqual(failure('corrupt'));
    expect((await store.get(['player:bob'])).get('player:bob')?.kind).toBe('key');
    await store.close();
  });

  test('removed while it was open: nothing is read from it or written to it any more', async () => {
    const store = await open();
    await store.create(['player:ann']);
    renameSync(join(folder, keyFileName), join(folder, 'moved'));
    await expect(store.create(['player:bob'])).rejects.toEqual(failure('replaced'));
    await expect(store.destroy(['player:ann'])).rejects.toEqual(failure('replaced'));
    await expect(store.erasures()).rejects.toEqual(failure('replaced'));
    renameSync(join(folder, 'moved'), join(folder, keyFileName));
    expect((await store.create(['player:bob'])).get('player:bob')?.kind).toBe('key');
    await store.close();
  });
});

test('a writer that fails leaves the batch out as a whole, and goes on after that', async () => {
  const store = await open();
  changeFile(`CREATE TRIGGER full BEFORE INSERT ON subject_key WHEN new.subject = 'player:b'
    BEGIN SELECT raise(ABORT, 'no room'); END`);
  await expect(store.create(['player:a', 'player:b'])).rejects.toEqual(failure('io'));
  expect(await store.list()).toEqual([]);
  expect((await store.create(['player:c'])).get('player:c')?.kind).toBe('key');
  await store.close();
});
