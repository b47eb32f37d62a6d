import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import {
  backupLog,
  checkIntegrity,
  logFileName,
  logFormatVersion,
  sqliteEventLog,
} from './index.ts';
import { freshFolder, openIn } from './testing/fresh-log.ts';
import { runChild } from './testing/run-child.ts';

async function makeLog(folder: string): Promise<void> {
  const log = await sqliteEventLog({ folder });
  await log.append('sample-1', [sampleEvent()], { expected: 'any' });
  await log.close();
}

function alter(folder: string, sql: string): void {
  using db = new DatabaseSync(join(folder, logFileName));
  db.exec(sql);
}

/** Every way in refuses with the same code, and leaves the file as it was. */
async function expectRefused(folder: string, code: string, message: RegExp): Promise<void> {
  const refusal = expect.objectContaining({
    name: 'EventLogError',
    code,
    message: expect.stringMatching(message),
  });
  await expect(sqliteEventLog({ folder })).rejects.toEqual(refusal);
  await expect(sqliteEventLog({ folder, readOnly: true })).rejects.toEqual(refusal);
  expect(() => checkIntegrity(folder)).toThrow(refusal);
  await expect(backupLog(folder, join(folder, 'backup', 'copy.sqlite'))).rejects.toEqual(refusal);
  expect(readdirSync(folder)).toEqual([logFileName]);
}

test('a newer format is refused, and says which program to use', async () => {
  const folder = freshFolder();
  await makeLog(folder);
  alter(folder, `PRAGMA user_version = ${logFormatVersion + 1}`);
  await expectRefused(folder, 'newer-format', /format 2, .* up to 1: use a newer program/);
});

test('an SQLite database that is no log is refused, with tables or without', async () => {
  for (const sql of ['CREATE TABLE streams (id INTEGER)', 'PRAGMA user_version = 1']) {
    const folder = freshFolder();
    alter(folder, sql);
    await expectRefused(folder, 'not-a-log', /not an event log/);
  }
});

test('a file that is no database is refused', async () => {
  const folder = freshFolder();
  writeFileSync(join(folder, logFileName), 'once upon a time '.repeat(1_000));
  await expectRefused(
    folder,
    'not-a-log',
    /not an SQLite database, or its first page is destroyed/,
  );
});

test('a log that lost its content is refused, not begun anew', async () => {
  const folder = freshFolder();
  await makeLog(folder);
  truncateSync(join(folder, logFileName));
  await expectRefused(folder, 'corrupt', /is empty: its content was lost/);
});

test('a missing log is made only by who may make one', async () => {
  const folder = join(freshFolder(), 'data', 'log');
  const refusal = expect.objectContaining({ code: 'not-a-log' });
  await expect(sqliteEventLog({ folder, create: false })).rejects.toEqual(refusal);
  await expect(sqliteEventLog({ folder, readOnly: true })).rejects.toEqual(refusal);
  expect(existsSync(folder)).toBe(false);
  await makeLog(folder);
  const log = await openIn(folder, { create: false });
  expect((await log.read('start')).events).toHaveLength(1);
});

test('many who open a new log at once get one log, and no drafts are left', async () => {
  const folder = freshFolder();
  const logs = await Promise.all(Array.from({ length: 6 }, () => sqliteEventLog({ folder })));
  for (const [index, log] of logs.entries()) {
    const result = await log.append('sample-1', [sampleEvent()], { expected: 'any' });
    expect(result).toMatchObject({ kind: 'stored', revision: index });
  }
  await Promise.all(logs.map((log) => log.close()));
  expect(readdirSync(folder)).toEqual([logFileName]);
});

test('a log opened for reading only reads, follows and never writes', async () => {
  const folder = freshFolder();
  const writer = await openIn(folder);
  const log = await openIn(folder, { readOnly: true });
  const event = sampleEvent();
  await writer.append('sample-1', [event], { expected: 'any' });
  expect((await log.read('start')).events.map(({ id }) => id)).toEqual([event.id]);
  const appending = log.append('sample-1', [sampleEvent()], { expected: 'any' });
  await expect(appending).rejects.toMatchObject({ name: 'EventLogError', code: 'read-only' });
  expect(log.writerSettings).toBeUndefined();
});

test('the writer is set to sync every commit', async () => {
  const log = await openIn(freshFolder());
  expect(log.writerSettings).toEqual({ journalMode: 'wal', synchronous: 2 });
});

test('an open log that does nothing does not keep its process alive', async () => {
  const end = await runChild(new URL('./testing/leave-open.ts', import.meta.url), {
    arguments: [freshFolder()],
  });
  expect(end).toEqual({ code: 0, signal: null, out: 'stored\n', err: '' });
});
