import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { enforceErasures } from '../erasure.ts';
import { KeyWrapping } from '../key-wrapping.ts';
import { rawBytes } from '../testing/raw-bytes.ts';
import { backupSubjectKeys } from './key-backup.ts';
import { KeyFile, keyFileName } from './key-file.ts';
import { sqliteSubjectKeyStore } from './sqlite-subject-key-store.ts';

const masterKey = Buffer.alloc(32, 1);
const wrapping = new KeyWrapping(masterKey);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The wrapped keys as they stand in the file, by subject. */
function wrappedKeys(): Map<string, Buffer> {
  const db = new DatabaseSync(join(folder, keyFileName), { readOnly: true });
  const rows = db.prepare('SELECT subject, wrapped FROM subject_key WHERE erased = 0').all();
  db.close();
  return new Map(rows.map((row) => [String(row.subject), Buffer.from(row.wrapped as Uint8Array)]));
}

test('a key that is there stands in the file exactly once; an erased one nowhere, while the store is open', async () => {
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  await store.create(['player:ann', 'player:bob']);
  const wrapped = wrappedKeys();
  const ann = wrapped.get('player:ann') as Buffer;
  expect(occurrences(rawBytes(folder), ann)).toBe(1);

  await store.destroy(['player:ann']);
  const bytes = rawBytes(folder);
  expect(occurrences(bytes, ann)).toBe(0);
  expect(occurrences(bytes, wrapped.get('player:bob') as Buffer)).toBe(1);
  await store.close();
});

test('an erased key is nowhere though another process reads and writes the same file', async () => {
  const one = await sqliteSubjectKeyStore({ folder, masterKey });
  const other = await sqliteSubjectKeyStore({ folder, masterKey });
  await one.create(['player:ann']);
  await other.get(['player:ann']);
  const ann = wrappedKeys().get('player:ann') as Buffer;
  const traffic = Promise.all(
    Array.from({ length: 200 }, (_, i) => other.create([`player:${i}`, 'player:ann'])),
  );
  await one.destroy(['player:ann']);
  expect(occurrences(rawBytes(folder), ann)).toBe(0);
  await traffic;
  expect(occurrences(rawBytes(folder), ann)).toBe(0);
  expect((await other.get(['player:ann'])).get('player:ann')?.kind).toBe('erased');
  await one.close();
  await other.close();
});

test('no page split and no order of erasing leaves a copy of a key', () => {
  const name = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
  const names = fc.uniqueArray(name, { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(names, fc.infiniteStream(fc.nat(9)), (ids, dice) => {
      rmSync(folder, { recursive: true, force: true });
      const file = new KeyFile(folder, wrapping);
      const history: Buffer[] = [];
      for (let start = 0; start < ids.length; start += 40) {
        const subjects = ids.slice(start, start + 40).map((id) => `player:${id}`);
        file.create(subjects);
        const wrapped = wrappedKeys();
        const doomed = [...wrapped.keys()].filter(() => (dice.next().value ?? 0) < 3);
        history.push(...doomed.map((subject) => wrapped.get(subject) as Buffer));
        file.destroy(doomed);
      }
      const bytes = rawBytes(folder);
      for (const erased of history) expect(occurrences(bytes, erased)).toBe(0);
      for (const kept of wrappedKeys().values()) expect(occurrences(bytes, kept)).toBe(1);
      file.close();
    }),
    { numRuns: 15 },
  );
});

test('an erase cut off before the WAL was cut is finished by the next opening', () => {
  const file = new KeyFile(folder, wrapping);
  file.create(['player:ann', 'player:bob']);
  const ann = wrappedKeys().get('player:ann') as Buffer;
  // A reader in the middle of a read keeps the WAL from being cut, as a crash at that point would.
  const reader = new DatabaseSync(join(folder, keyFileName), { timeout: 0 });
  const writer = new DatabaseSync(join(folder, keyFileName), { timeout: 0 });
  writer.exec('PRAGMA secure_delete = ON');
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM subject_key').get();
  writer.exec(`
    BEGIN IMMEDIATE;
    UPDATE subject_key SET erased = 1, wrapped = zeroblob(60) WHERE subject = 'player:ann';
    UPDATE fact SET value = value + 1 WHERE name = 'removals';
    COMMIT`);
  expect(occurrences(rawBytes(folder), ann)).toBeGreaterThan(0);
  reader.exec('ROLLBACK');

  const next = new KeyFile(folder, wrapping);
  expect(occurrences(rawBytes(folder), ann)).toBe(0);
  for (const db of [reader, writer, file, next]) db.close();
});

test('an old backup of the keys, put back, loses its erased keys again, and their bytes', async () => {
  const backupFile = join(folder, 'keys.backup');
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  await store.create(['player:ann', 'player:bob']);
  const wrapped = wrappedKeys();
  await backupSubjectKeys({ folder, to: backupFile });
  await store.destroy(['player:ann']);
  await store.close();

  rmSync(join(folder, keyFileName));
  copyFileSync(backupFile, join(folder, keyFileName));
  rmSync(backupFile);
  const restored = await sqliteSubjectKeyStore({ folder, masterKey });
  expect((await restored.get(['player:ann'])).get('player:ann')?.kind).toBe('key');
  expect(occurrences(rawBytes(folder), wrapped.get('player:ann') as Buffer)).toBe(1);

  const enforced = await enforceErasures(restored, ['player:ann']);
  expect(enforced).toEqual({ subjects: 1, keysDestroyed: 1 });
  expect(occurrences(rawBytes(folder), wrapped.get('player:ann') as Buffer)).toBe(0);
  const after = await restored.create(['player:ann', 'player:bob']);
  expect(after.get('player:ann')?.kind).toBe('erased');
  expect(after.get('player:bob')?.kind).toBe('key');
  await restored.close();
});

test('a backup is readable by its owner only, and overwrites nothing', async () => {
  const store = await sqliteSubjectKeyStore({ folder, masterKey });
  await store.create(['player:ann']);
  const to = join(folder, 'keys.backup');
  await backupSubjectKeys({ folder, to });
  expect(statSync(to).mode & 0o777).toBe(0o600);
  await expect(backupSubjectKeys({ folder, to })).rejects.toMatchObject({
    name: 'SubjectKeyStoreError',
    code: 'io',
  });
  await store.close();
});

function occurrences(bytes: Buffer, needle: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) count += 1;
  return count;
}
