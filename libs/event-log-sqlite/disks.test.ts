import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EventLog, EventLogError, type NewEvent } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { describe, expect } from 'vitest';
import { checkIntegrity, sqliteEventLog } from './index.ts';
import { openIn } from './testing/fresh-log.ts';
import { mountProblem, mountSmallDisk } from './testing/mount.ts';
import { testNeeding } from './testing/needs.ts';

const noMount = mountProblem();

/** Appends from eight callers until the disk is full; gives what was acknowledged and what was not. */
async function fillDisk(log: EventLog): Promise<{ stored: NewEvent[]; refused: NewEvent[] }> {
  const stored: NewEvent[] = [];
  const refused: NewEvent[] = [];
  const fill = async (caller: number) => {
    for (;;) {
      const event = sampleEvent({ data: { filler: 'x'.repeat(20_000) } });
      try {
        const result = await log.append(`sample-${caller}`, [event], { expected: 'any' });
        expect(result.kind).toBe('stored');
        stored.push(event);
      } catch (error) {
        expect(error).toBeInstanceOf(EventLogError);
        expect(error).toMatchObject({
          code: 'disk-full',
          message: expect.stringMatching(/events\.sqlite: the disk is full, .* Free some space/),
        });
        refused.push(event);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, caller) => fill(caller)));
  return { stored, refused };
}

async function idsIn(log: EventLog): Promise<string[]> {
  const { events, end } = await log.read('start', {}, { limit: 10_000 });
  expect(end).toBe(true);
  return events.map(({ id }) => id).sort();
}

describe('a full disk', () => {
  testNeeding(
    noMount,
    'is told, loses nothing acknowledged, and is over when there is space again',
    async () => {
      const disk = mountSmallDisk(4_096);
      const ballast = join(disk.folder, 'ballast');
      writeFileSync(ballast, Buffer.alloc(1_500_000));
      const folder = join(disk.folder, 'log');
      const log = await openIn(folder);
      const { stored, refused } = await fillDisk(log);
      expect(stored.length).toBeGreaterThan(0);
      expect(await idsIn(log)).toEqual(stored.map(({ id }) => id).sort());
      rmSync(ballast);
      const event = refused[0] as NewEvent;
      const result = await log.append('sample-9', [event], { expected: 'no-stream' });
      expect(result).toMatchObject({ kind: 'stored', revision: 0, duplicate: false });
      const all = [...stored, event].map(({ id }) => id).sort();
      expect(await idsIn(log)).toEqual(all);
      await log.close();
      expect(checkIntegrity(folder)).toMatchObject({ kind: 'sound', events: all.length });
      expect(await idsIn(await openIn(folder))).toEqual(all);
    },
  );

  testNeeding(noMount, 'makes no log, and leaves nothing half made', async () => {
    const disk = mountSmallDisk(64);
    writeFileSync(join(disk.folder, 'ballast'), Buffer.alloc(60_000));
    const opening = sqliteEventLog({ folder: disk.folder });
    await expect(opening).rejects.toMatchObject({ name: 'EventLogError', code: 'disk-full' });
    rmSync(join(disk.folder, 'ballast'));
    // 64 kB are too small for a log with its write-ahead log, so this asks for the drafts only.
    const again = await sqliteEventLog({ folder: disk.folder }).catch((error: unknown) => error);
    expect(again).toMatchObject({ name: 'EventLogError', code: 'disk-full' });
  });
});

describe('a read-only folder', () => {
  testNeeding(noMount, 'is told when a log is opened there, and when one is made', async () => {
    const disk = mountSmallDisk(2_048);
    const folder = join(disk.folder, 'log');
    const log = await sqliteEventLog({ folder });
    await log.append('sample-1', [sampleEvent()], { expected: 'any' });
    await log.close();
    disk.makeReadOnly();
    const refusal = { name: 'EventLogError', code: 'read-only' };
    await expect(sqliteEventLog({ folder })).rejects.toMatchObject(refusal);
    const elsewhere = join(disk.folder, 'other');
    await expect(sqliteEventLog({ folder: elsewhere })).rejects.toMatchObject(refusal);
  });

  testNeeding(noMount, 'can be read by a tool, as a backup on a read-only disk is', async () => {
    const disk = mountSmallDisk(2_048);
    const log = await sqliteEventLog({ folder: disk.folder });
    const event = sampleEvent();
    await log.append('sample-1', [event], { expected: 'any' });
    await log.close();
    disk.makeReadOnly();
    const tool = await openIn(disk.folder, { readOnly: true });
    expect(await idsIn(tool)).toEqual([event.id]);
    const appending = tool.append('sample-1', [sampleEvent()], { expected: 'any' });
    await expect(appending).rejects.toMatchObject({ code: 'read-only' });
  });
});
