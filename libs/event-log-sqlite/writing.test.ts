import type { Worker } from 'node:worker_threads';
import { EventLogError } from '@annals/event-log';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { describe, expect, test } from 'vitest';
import { checkIntegrity } from './index.ts';
import { freshFolder, openIn } from './testing/fresh-log.ts';
import { runChild } from './testing/run-child.ts';

describe('group commit', () => {
  test('appends that arrive together share one transaction', async () => {
    const log = await openIn(freshFolder());
    const appending = Array.from({ length: 64 }, (_, stream) =>
      log.append(`sample-${stream}`, sampleEvents(2), { expected: 'no-stream' }),
    );
    expect(log.statistics()).toMatchObject({ queueDepth: 64 });
    const results = await Promise.all(appending);
    expect(results.every(({ kind }) => kind === 'stored')).toBe(true);
    expect(log.statistics()).toEqual({
      commits: 1,
      appends: 64,
      events: 128,
      duplicates: 0,
      failures: 0,
      queueDepth: 0,
      queueBytes: 0,
    });
  });

  test('appends that come while one is committed share the next one', async () => {
    const log = await openIn(freshFolder());
    await Promise.all(
      Array.from({ length: 32 }, async (_, caller) => {
        for (let round = 0; round < 10; round += 1) {
          await log.append(`sample-${caller}`, [sampleEvent()], { expected: 'any' });
        }
      }),
    );
    const { appends, commits } = log.statistics();
    expect(appends).toBe(320);
    expect(commits).toBeLessThan(160);
  });

  test('one after the other, each has a transaction of its own', async () => {
    const log = await openIn(freshFolder());
    for (let round = 0; round < 5; round += 1) {
      await log.append('sample-1', [sampleEvent()], { expected: 'any' });
    }
    expect(log.statistics()).toMatchObject({ commits: 5, appends: 5, events: 5 });
  });

  test('one that is refused does not hurt those that share its transaction', async () => {
    const folder = freshFolder();
    const log = await openIn(folder);
    const known = sampleEvents(3);
    await log.append('sample-1', known, { expected: 'no-stream' });
    const fresh = sampleEvents(5);
    const other = sampleEvent({ data: { points: 2 } }, { id: known[1]!.id });
    const results = await Promise.all([
      log.append('sample-1', [fresh[0]!], { expected: 2 }),
      log.append('sample-1', [fresh[1]!], { expected: 2 }),
      log.append('sample-1', known, { expected: 'no-stream' }),
      // New events in front of a known one are inserted before the known one is met.
      log.append('sample-1', [fresh[2]!, fresh[3]!, known[0]!], { expected: 'any' }),
      log.append('sample-1', [other], { expected: 'any' }),
      log.append('sample-1', [fresh[4]!], { expected: 3 }),
      log.append('sample-2', [sampleEvent()], { expected: 'exists' }),
    ]);
    expect(results).toMatchObject([
      { kind: 'stored', revision: 3, duplicate: false },
      { kind: 'conflict', expected: 2, actual: 3 },
      { kind: 'stored', revision: 2, duplicate: true },
      { kind: 'partial-duplicate', known: [known[0]!.id] },
      { kind: 'content-mismatch', id: known[1]!.id, revision: 1 },
      { kind: 'stored', revision: 4, duplicate: false },
      { kind: 'conflict', expected: 'exists', actual: 'no-stream' },
    ]);
    expect(log.statistics()).toMatchObject({ commits: 2, appends: 3, duplicates: 1, events: 5 });
    const { events } = await log.read('start');
    expect(events.map(({ id }) => id)).toEqual(
      [...known, fresh[0]!, fresh[4]!].map(({ id }) => id),
    );
    expect(checkIntegrity(folder)).toMatchObject({ kind: 'sound', events: 5, streams: 1 });
  });
});

describe('the queue', () => {
  test('is bounded in appends: the next one is refused, and accepted when there is room', async () => {
    const queueLimits = { queueAppendsMax: 4, queueBytesMax: 1_000_000 };
    const log = await openIn(freshFolder(), { queueLimits });
    const append = () => log.append('sample-1', [sampleEvent()], { expected: 'any' });
    const results = await Promise.all(Array.from({ length: 10 }, append));
    expect(results.map(({ kind }) => kind)).toEqual([
      ...Array(4).fill('stored'),
      ...Array(6).fill('refused'),
    ]);
    expect(results[4]).toMatchObject({
      reason: 'overloaded',
      detail: expect.stringMatching(/^4 appends/),
    });
    expect(await append()).toMatchObject({ kind: 'stored', revision: 4 });
  });

  test('is bounded in bytes, but takes one append of any size', async () => {
    const queueLimits = { queueAppendsMax: 100, queueBytesMax: 1_000 };
    const log = await openIn(freshFolder(), { queueLimits });
    const append = () =>
      log.append('sample-1', [sampleEvent({ data: { text: 'x'.repeat(2_000) } })], {
        expected: 'any',
      });
    const results = await Promise.all([append(), append()]);
    expect(results).toMatchObject([{ kind: 'stored' }, { kind: 'refused', reason: 'overloaded' }]);
    expect(log.statistics()).toMatchObject({ queueDepth: 0, queueBytes: 0 });
    expect(await append()).toMatchObject({ kind: 'stored', revision: 1 });
  });
});

describe('the writer thread', () => {
  test('that is lost leaves its appends unknown, and later ones are told', async () => {
    const folder = freshFolder();
    const started = new Promise<Worker>((resolve) => process.once('worker', resolve));
    const log = await openIn(folder);
    const worker = await started;
    const event = sampleEvent();
    const appending = log.append('sample-1', [event], { expected: 'any' });
    await worker.terminate();
    expect((await appending).kind).toBe('unknown');
    const error = await log
      .append('sample-1', [event], { expected: 'any' })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EventLogError);
    expect(error).toMatchObject({
      code: 'io',
      message: expect.stringContaining('open the log again'),
    });
    await log.close();
    const again = await openIn(folder);
    const resent = await again.append('sample-1', [event], { expected: 'any' });
    expect(resent).toMatchObject({ kind: 'stored', revision: 0 });
  });
});

describe('recordedAt', () => {
  test('is the time of the clock, and never goes back when the clock does', async () => {
    const folder = freshFolder();
    let now = 1_000;
    const clock = { now: () => now };
    const stamp = async (at: number, log = first) => {
      now = at;
      const result = await log.append('sample-1', [sampleEvent()], { expected: 'any' });
      return result.kind === 'stored' ? result.recordedAt : result;
    };
    const first = await openIn(folder, { clock });
    expect(await stamp(1_000)).toBe(1_000);
    expect(await stamp(2_000)).toBe(2_000);
    expect(await stamp(500)).toBe(2_000);
    await first.close();
    const second = await openIn(folder, { clock });
    expect(await stamp(700, second)).toBe(2_000);
    expect(await stamp(2_001, second)).toBe(2_001);
  });
});

describe('several processes on one folder', { timeout: 120_000 }, () => {
  test('that count up with expected revisions lose no update', async () => {
    const folder = freshFolder();
    const log = await openIn(folder);
    const processes = 4;
    const updates = 40;
    const ends = await Promise.all(
      Array.from({ length: processes }, () =>
        runChild(new URL('./testing/count-up.ts', import.meta.url), {
          arguments: [folder, String(updates)],
        }),
      ),
    );
    for (const end of ends) expect(end).toMatchObject({ code: 0, err: '' });
    const { events, head } = await log.readStream('counter-1');
    expect(head).toBe(processes * updates - 1);
    expect(events.map(({ data }) => JSON.parse(data).total)).toEqual(
      Array.from({ length: processes * updates }, (_, index) => index + 1),
    );
    // Otherwise they never met, and the test shows nothing.
    const conflicts = ends.reduce((sum, { out }) => sum + Number(out), 0);
    expect(conflicts).toBeGreaterThan(0);
    expect(checkIntegrity(folder)).toMatchObject({ kind: 'sound', events: processes * updates });
  });
});
