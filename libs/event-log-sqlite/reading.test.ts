import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type EventLog, limits, type StoredEvent } from '@annals/event-log';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { describe, expect, test } from 'vitest';
import { checkIntegrity, logFileName, sqliteLimits } from './index.ts';
import { freshFolder, openIn } from './testing/fresh-log.ts';
import { runChild } from './testing/run-child.ts';

/** Appends `count` events of `dataBytes` each, as few appends as the limits allow. */
async function appendLarge(log: EventLog, count: number, dataBytes: number): Promise<void> {
  const perAppend = Math.min(limits.appendEventsMax, Math.floor(800_000 / (dataBytes + 200)));
  for (let sent = 0; sent < count; sent += perAppend) {
    const events = Array.from({ length: Math.min(perAppend, count - sent) }, () =>
      sampleEvent({ type: 'common', data: { text: 'x'.repeat(dataBytes) } }),
    );
    await log.append('common-1', events, { expected: 'any' });
  }
}

/** For tests that write more than a hundred megabytes. */
const slowDiskMsMax = 120_000;

describe('memory', { timeout: slowDiskMsMax }, () => {
  test('a page of large events is cut short, and the pages together hold all', async () => {
    const log = await openIn(freshFolder());
    await appendLarge(log, 100, 200_000);
    const pages: (readonly StoredEvent[])[] = [];
    for (let at: Parameters<EventLog['read']>[0] = 'start'; ; ) {
      const page = await log.read(at, {}, { limit: 10 * limits.pageEventsDefault });
      pages.push(page.events);
      if (page.end) break;
      at = page.checkpoint;
    }
    expect(pages.flat()).toHaveLength(100);
    expect(pages.length).toBeGreaterThan(1);
    const fetchUnitsMax = sqliteLimits.fetchRowsMax * 200_011;
    const bound = sqliteLimits.pageDataUnitsMax + fetchUnitsMax;
    for (const events of pages) {
      expect(events.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThanOrEqual(bound);
    }
  });

  test('a process with a small heap reads a log far larger than that, all of it and a rare filter', async () => {
    const folder = freshFolder();
    const log = await openIn(folder);
    await appendLarge(log, 2_600, 40_000);
    await log.append('rare-1', sampleEvents(3, { type: 'seldom' }), { expected: 'any' });
    await appendLarge(log, 1_200, 40_000);
    await log.close();
    const heapMegabytes = 48;
    expect(statSync(join(folder, logFileName)).size).toBeGreaterThan(3 * heapMegabytes * 2 ** 20);
    const end = await runChild(new URL('./testing/read-pages.ts', import.meta.url), {
      arguments: [folder],
      nodeFlags: [`--max-old-space-size=${heapMegabytes}`],
    });
    expect(end).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(end.out)).toEqual({
      all: 3_803,
      rareByCategory: { events: 3, pages: 1 },
      rareByType: { events: 3, pages: 1 },
    });
  });
});

describe('filters', () => {
  test('as many types as one likes: beyond what the index merges, a call scans a bounded range', async () => {
    const log = await openIn(freshFolder());
    const types = Array.from({ length: sqliteLimits.mergedKindsMax + 40 }, (_, n) => `type${n}`);
    const events = types.map((type) => sampleEvent({ type }));
    await log.append('sample-1', events, { expected: 'any' });
    for (let left = sqliteLimits.scannedPositionsMax + 5_000; left > 0; left -= 1_000) {
      await log.append('sample-2', sampleEvents(1_000), { expected: 'any' });
    }
    await log.append('sample-1', [sampleEvent({ type: 'type7' })], { expected: 'any' });
    for (const count of [1, 2, 3, sqliteLimits.mergedKindsMax, sqliteLimits.mergedKindsMax + 1]) {
      const wanted = types.slice(0, Math.max(8, count));
      for (const direction of ['forward', 'backward'] as const) {
        const found: string[] = [];
        for (
          let at: Parameters<EventLog['read']>[0] = direction === 'forward' ? 'start' : 'end';
          ;
        ) {
          const page = await log.read(at, { types: wanted }, { direction, limit: 100 });
          found.push(...page.events.map(({ type }) => type));
          if (page.end) break;
          at = page.checkpoint;
        }
        const expected = [...wanted, 'type7'];
        expect(found).toEqual(direction === 'forward' ? expected : expected.reverse());
      }
    }
    const counted = await log.count({ types: types.slice(0, 140) });
    expect(counted.size).toBe(140);
    expect(counted.get('type7')).toBe(2);
  });
});

describe('positions', () => {
  test('text that no SQLite log gave out is an error, not the beginning', async () => {
    const log = await openIn(freshFolder());
    await expect(log.read({ 0: '12' })).rejects.toThrow(RangeError);
    await expect(log.read({ 0: 'later' })).rejects.toThrow(RangeError);
  });

  test('a checkpoint beyond the head waits for the head to reach it', async () => {
    const log = await openIn(freshFolder());
    await log.append('sample-1', sampleEvents(3), { expected: 'any' });
    const beyond = { 0: '0000000000000005' };
    expect(await log.read(beyond)).toEqual({ events: [], checkpoint: beyond, end: true });
    await log.append('sample-1', sampleEvents(3), { expected: 'any' });
    expect((await log.read(beyond)).events.map(({ revision }) => revision)).toEqual([5]);
  });
});

describe('a damaged file', () => {
  test('is told by reads, and found by the integrity check', async () => {
    const folder = freshFolder();
    const log = await openIn(folder);
    for (let round = 0; round < 20; round += 1) {
      await log.append(`sample-${round}`, sampleEvents(200), { expected: 'any' });
    }
    await log.close();
    const path = join(folder, logFileName);
    const file = openSync(path, 'r+');
    const garbage = Buffer.alloc(4_096, 0xa5);
    for (let page = 8; page < statSync(path).size / 4_096; page += 2) {
      writeSync(file, garbage, 0, garbage.length, page * 4_096);
    }
    closeSync(file);
    const damaged = await openIn(folder, { readOnly: true });
    await expect(damaged.read('start', {}, { limit: 10_000 })).rejects.toMatchObject({
      name: 'EventLogError',
      code: 'corrupt',
      message: expect.stringMatching(/damaged: check .* restore it from a backup/),
    });
    const report = checkIntegrity(folder);
    expect(report.kind).toBe('damaged');
    expect(report.kind === 'damaged' && report.problems.length).toBeGreaterThan(0);
  });
});
