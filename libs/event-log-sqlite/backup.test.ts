import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { type BackupProgress, backupLog, checkIntegrity, logFileName } from './index.ts';
import { freshFolder, openIn } from './testing/fresh-log.ts';
import { mountProblem, mountSmallDisk } from './testing/mount.ts';
import { testNeeding } from './testing/needs.ts';

test('a backup taken while events are appended is a sound log of one moment', {
  timeout: 120_000,
}, async () => {
  const folder = freshFolder();
  const log = await openIn(folder);
  for (let round = 0; round < 30; round += 1) {
    const events = sampleEvents(200, { data: { text: 'x'.repeat(1_000) } });
    await log.append(`sample-${round % 5}`, events, { expected: 'any' });
  }
  let backingUp = true;
  const appending = (async () => {
    while (backingUp) await log.append('sample-0', [sampleEvent()], { expected: 'any' });
  })();
  const target = join(freshFolder(), 'backups', 'one.sqlite');
  const progress: BackupProgress[] = [];
  const result = await backupLog(folder, target, { onProgress: (step) => progress.push(step) });
  backingUp = false;
  await appending;
  expect(result).toMatchObject({ kind: 'written' });
  expect(readdirSync(join(target, '..'))).toEqual(['one.sqlite']);
  // Copied in steps, each further than the one before: it never began anew.
  expect(progress.length).toBeGreaterThan(1);
  expect(progress.map(({ pages }) => pages)).toEqual(
    progress.map(({ pages }) => pages).toSorted((a, b) => a - b),
  );

  const restored = freshFolder();
  renameSync(target, join(restored, logFileName));
  const sound = checkIntegrity(restored);
  expect(result).toEqual({
    kind: 'written',
    events: sound.kind === 'sound' && sound.events,
    lastPosition: sound.kind === 'sound' && sound.lastPosition,
  });
  const copy = await openIn(restored);
  const first = await log.read('start', {}, { limit: 10_000 });
  const copied = await copy.read('start', {}, { limit: 10_000 });
  expect(copied.end).toBe(true);
  expect(copied.events.length).toBeGreaterThanOrEqual(6_000);
  expect(copied.events).toEqual(first.events.slice(0, copied.events.length));
  const appended = await copy.append('sample-9', [sampleEvent()], { expected: 'no-stream' });
  expect(appended.kind).toBe('stored');
});

test('a file that is there is never overwritten', async () => {
  const folder = freshFolder();
  await (await openIn(folder)).close();
  const target = join(folder, 'kept');
  writeFileSync(target, 'kept');
  expect(await backupLog(folder, target)).toEqual({ kind: 'target-exists', target });
});

test('a target that cannot be made is an error that names it', async () => {
  const folder = freshFolder();
  await (await openIn(folder)).close();
  const file = join(freshFolder(), 'file');
  writeFileSync(file, '');
  const failing = backupLog(folder, join(file, 'copy.sqlite'));
  await expect(failing).rejects.toMatchObject({
    name: 'EventLogError',
    code: 'io',
    message: expect.stringContaining(`to ${join(file, 'copy.sqlite')}`),
  });
});

testNeeding(
  mountProblem(),
  'a disk too small for a backup is told, and left as it was',
  async () => {
    const folder = freshFolder();
    const log = await openIn(folder);
    for (let round = 0; round < 4; round += 1) {
      await log.append('sample-1', sampleEvents(500), { expected: 'any' });
    }
    const disk = mountSmallDisk(300);
    const failing = backupLog(folder, join(disk.folder, 'copy.sqlite'));
    await expect(failing).rejects.toMatchObject({ name: 'EventLogError', code: 'disk-full' });
    expect(readdirSync(disk.folder)).toEqual([]);
  },
);
