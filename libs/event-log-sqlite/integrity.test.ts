import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { checkIntegrity, logFileName, sqliteEventLog, sqliteLimits } from './index.ts';
import { freshFolder, openIn } from './testing/fresh-log.ts';

async function makeLog(): Promise<string> {
  const folder = freshFolder();
  const log = await sqliteEventLog({ folder });
  await log.append('sample-1', sampleEvents(4), { expected: 'any' });
  await log.append('other-1', sampleEvents(4), { expected: 'any' });
  await log.close();
  return folder;
}

test('a sound log is counted, also while it is written to', async () => {
  const folder = await makeLog();
  expect(checkIntegrity(folder)).toEqual({
    kind: 'sound',
    events: 8,
    streams: 2,
    lastPosition: 8,
  });
  const log = await openIn(folder);
  const appending = log.append('sample-1', [sampleEvent()], { expected: 'any' });
  expect(checkIntegrity(folder).kind).toBe('sound');
  await appending;
  expect(checkIntegrity(folder)).toMatchObject({ events: 9, lastPosition: 9 });
});

test('an empty log is sound', async () => {
  const folder = freshFolder();
  await (await openIn(folder)).close();
  expect(checkIntegrity(folder)).toEqual({
    kind: 'sound',
    events: 0,
    streams: 0,
    lastPosition: 0,
  });
});

test.each([
  [
    'an event is gone',
    'DELETE FROM events WHERE position = 2',
    /stream sample-1 has 3 events, its revisions are 0 to 3/,
  ],
  ['the first event is gone', 'DELETE FROM events WHERE position = 1', /revisions are 1 to 3/],
  [
    'two events changed places',
    'UPDATE events SET position = 20 WHERE position = 2',
    /position 3: revision 2 of its stream stands before/,
  ],
  [
    'a stream is gone',
    "DELETE FROM streams WHERE name = 'sample-1'",
    /position 1: its stream \d+ is not there/,
  ],
  [
    'a kind is gone',
    "DELETE FROM kinds WHERE category = 'other'",
    /position 5: its kind \d+ is not there/,
  ],
  [
    'a category is another',
    "UPDATE kinds SET category = 'samp' WHERE category = 'sample'",
    /position 1: stream sample-1 is filed under category samp/,
  ],
  [
    'an id is cut',
    "UPDATE events SET event_id = x'00' WHERE position = 1",
    /position 1: its id has 1 bytes/,
  ],
  [
    'a hash is cut',
    "UPDATE events SET content_hash = x'' WHERE position = 3",
    /position 3: its content hash has 0 bytes/,
  ],
  [
    'data is cut',
    'UPDATE events SET data = substr(data, 2) WHERE position = 1',
    /position 1: its data is not JSON/,
  ],
  [
    'metadata is cut',
    "UPDATE events SET metadata = '{' WHERE position = 1",
    /position 1: its metadata is not JSON/,
  ],
  [
    'a position is negative',
    'UPDATE events SET position = -1 WHERE position = 1',
    /position -1: positions begin at 1/,
  ],
])('%s: it is found', async (_, sql, problem) => {
  const folder = await makeLog();
  using db = new DatabaseSync(join(folder, logFileName));
  db.exec(sql);
  const report = checkIntegrity(folder);
  expect(report.kind).toBe('damaged');
  expect(report.kind === 'damaged' && report.problems.join('\n')).toMatch(problem);
});

test('the problems named are bounded', async () => {
  const folder = freshFolder();
  const log = await sqliteEventLog({ folder });
  await log.append('sample-1', sampleEvents(500), { expected: 'any' });
  await log.close();
  using db = new DatabaseSync(join(folder, logFileName));
  db.exec("UPDATE events SET data = '{'");
  const report = checkIntegrity(folder);
  expect(report.kind === 'damaged' && report.problems).toHaveLength(
    sqliteLimits.integrityProblemsMax,
  );
});
