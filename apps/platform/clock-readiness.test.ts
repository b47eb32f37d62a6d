import { EventLogError, memoryEventLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { readinessOfClock } from './clock-readiness.ts';

const now = Date.UTC(2026, 10, 26);

async function writtenAt(...times: readonly number[]) {
  let stamp = 0;
  const log = memoryEventLog({ clock: { now: () => stamp } });
  for (const time of times) {
    stamp = time;
    await log.append('sample-1', [sampleEvent()], { expected: 'any' });
  }
  return log;
}

const hour = 3_600_000;

test('clocks that are kept in step are ready, and so is a log that is empty or was not written for long', async () => {
  const logs = [await writtenAt(), await writtenAt(now - 1_000 * hour), await writtenAt(now + 900)];
  expect(await readinessOfClock(logs, { now: () => now }).check()).toEqual({ kind: 'ready' });
});

test('a clock that was ahead once is told, though a right one has written since', async () => {
  const logs = [await writtenAt(now), await writtenAt(now + hour, now)];
  expect(await readinessOfClock(logs, { now: () => now }).check()).toEqual({
    kind: 'degraded',
    detail: expect.stringContaining('were recorded 3,600 s ahead of this clock'),
  });
});

test('a log that cannot be read has a check of its own', async () => {
  const read = () => Promise.reject(new EventLogError('closed', 'the log is closed'));
  const check = readinessOfClock([{ read }], { now: () => now }).check();
  expect(await check).toEqual({ kind: 'ready' });
});
