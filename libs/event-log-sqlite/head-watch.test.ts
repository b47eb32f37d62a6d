import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HeadWatch } from './head-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('nothing is asked and no timer runs while nobody waits', async () => {
  const head = vi.fn(() => 7);
  const watch = new HeadWatch(head);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(vi.getTimerCount()).toBe(0);
  const waiting = watch.wait(7, undefined);
  expect(vi.getTimerCount()).toBe(1);
  watch.wakeAll();
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
  expect(head).not.toHaveBeenCalled();
});

test('those behind the head wake, the others go on waiting', async () => {
  let head = 5;
  const watch = new HeadWatch(() => head);
  const woken: number[] = [];
  for (const seen of [5, 6, 7]) void watch.wait(seen, undefined).then(() => woken.push(seen));
  await vi.advanceTimersByTimeAsync(100);
  expect(woken).toEqual([]);
  head = 7;
  await vi.advanceTimersByTimeAsync(20);
  expect(woken).toEqual([5, 6]);
  head = 8;
  await vi.advanceTimersByTimeAsync(20);
  expect(woken).toEqual([5, 6, 7]);
  expect(vi.getTimerCount()).toBe(0);
});

test('it asks every millisecond at first, and every 20 when nothing happens', async () => {
  const head = vi.fn(() => 1);
  const watch = new HeadWatch(head);
  const waiting = watch.wait(1, undefined);
  await vi.advanceTimersByTimeAsync(4);
  expect(head.mock.calls.length).toBeGreaterThanOrEqual(2);
  await vi.advanceTimersByTimeAsync(1_000);
  head.mockClear();
  await vi.advanceTimersByTimeAsync(200);
  expect(head).toHaveBeenCalledTimes(10);
  head.mockReturnValue(2);
  await vi.advanceTimersByTimeAsync(20);
  await waiting;
});

test('an abort wakes the one it belongs to', async () => {
  const watch = new HeadWatch(() => 1);
  const abort = new AbortController();
  let other = false;
  const waiting = watch.wait(1, abort.signal);
  void watch.wait(1, undefined).then(() => {
    other = true;
  });
  abort.abort();
  await waiting;
  await vi.advanceTimersByTimeAsync(100);
  expect(other).toBe(false);
  watch.wakeAll();
});

test('a log that cannot be read wakes all, so that they meet the error themselves', async () => {
  const watch = new HeadWatch(() => {
    throw new Error('the disk is gone');
  });
  const waiting = watch.wait(1, undefined);
  await vi.advanceTimersByTimeAsync(20);
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
});

test('who looked before something was stored does not wait, and neither does who was aborted', async () => {
  const watch = new HeadWatch(() => 1);
  const { wakes } = watch;
  watch.wakeAll();
  await watch.wait(1, undefined, wakes);
  await watch.wait(1, AbortSignal.abort());
  expect(vi.getTimerCount()).toBe(0);
});
