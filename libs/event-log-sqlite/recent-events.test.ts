import type { StoredEvent } from '@annals/event-log/port';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RecentEvent, RecentEvents } from './recent-events.ts';

/** A file whose event at position p is of the kind that `kindAt` says, and what was read of it. */
function file(kindAt: (position: number) => number, units = 10, unitsMax = 1_000_000) {
  const reads: { after: number; last: number }[] = [];
  const data = 'x'.repeat(units);
  const between = (after: number, last: number, kinds: readonly number[]): RecentEvent[] =>
    Array.from({ length: last - after }, (_, n) => after + 1 + n)
      .map((position) => ({ position, kind: kindAt(position), event: { data } as StoredEvent }))
      .filter(({ kind }) => kinds.includes(kind));
  const recent = new RecentEvents(({ after, last }, kinds) => {
    reads.push({ after, last });
    const found = between(after, last, kinds);
    return found.length * units > unitsMax ? undefined : found;
  });
  return { recent, reads, between };
}

const positions = (events: readonly RecentEvent[] | undefined) =>
  events?.map(({ position }) => position);

test('each range is read once for all who ask, of all their kinds', () => {
  const { recent, reads } = file((position) => position % 3);
  recent.range(10, 10, [0, 1]);
  expect(positions(recent.range(10, 16, [0]))).toEqual([12, 15]);
  expect(positions(recent.range(10, 16, [1]))).toEqual([13, 16]);
  expect(positions(recent.range(16, 17, [1, 0]))).toEqual([]);
  expect(positions(recent.range(10, 17, [0]))).toEqual([12, 15]);
  expect(reads).toEqual([
    { after: 10, last: 16 },
    { after: 16, last: 17 },
  ]);
});

test('whatever is asked in which order, the answer is what is there', () => {
  const step = fc.record({
    grows: fc.nat(30),
    behind: fc.nat(60),
    kinds: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 40_000 }),
      (steps, units) => {
        const { recent, between } = file((position) => (position * 7) % 4, units, 400_000);
        let head = 100;
        for (const { grows, behind, kinds } of steps) {
          head += grows;
          const after = head - Math.min(behind, head);
          const got = positions(recent.range(after, head, kinds));
          if (got) expect(got).toEqual(positions(between(after, head, kinds)));
          else expect(between(0, head, [0, 1, 2, 3]).length * units).toBeGreaterThan(400_000);
        }
      },
    ),
  );
});

test('what is too much is not kept, and not told', () => {
  const { recent } = file(() => 1, 1_000, 5_000);
  expect(recent.range(0, 6, [1])).toBeUndefined();
  expect(positions(recent.range(4, 6, [1]))).toEqual([5, 6]);
});

test('only so many are kept', () => {
  const { recent, reads } = file(() => 1);
  for (let last = 50; last <= 2_000; last += 50) recent.range(last - 50, last, [1]);
  const before = reads.length;
  expect(positions(recent.range(1_950, 2_000, [1]))).toHaveLength(50);
  expect(reads).toHaveLength(before);
  expect(positions(recent.range(400, 450, [1]))).toHaveLength(50);
  expect(reads).toHaveLength(before + 1);
});
