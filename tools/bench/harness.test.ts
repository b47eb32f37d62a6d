import { expect, test } from 'vitest';
import { alternate, median, quantile, ratePerSecond } from './harness.ts';
import { markdownReport } from './report.ts';

test('median and quantiles are the nearest rank', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(quantile([1, 2, 3, 4], 0.99)).toBe(4);
  expect(quantile([1, 2, 3, 4], 0)).toBe(1);
  expect(median([])).toBeNaN();
});

test('both sides run once a round, and the ratio is taken round by round', async () => {
  const order: string[] = [];
  const measured = await alternate(
    3,
    async () => order.push('ours') * 2,
    async () => order.push('theirs'),
  );
  expect(order).toEqual(['ours', 'theirs', 'theirs', 'ours', 'ours', 'theirs']);
  expect(measured.ours).toBe(8);
});

test('a rate counts what was done', async () => {
  let done = 0;
  const rate = await ratePerSecond(20, () => {
    done += 1;
  });
  expect(done).toBeGreaterThan(0);
  expect(rate).toBeGreaterThan(0);
});

test('the report says what was missed', () => {
  const page = markdownReport(
    [
      {
        work: 'append',
        ours: { value: 1234.5, unit: 'events/s' },
        peer: 'raw',
        theirs: { value: 2, unit: 'events/s' },
        ratio: 0.5,
        reach: '≥ 0.7',
        met: false,
      },
    ],
    new Date('2026-11-24T00:00:00Z'),
    'quick',
  );
  expect(page).toContain('| append | 1,235 events/s | raw: 2 events/s | 0.50 | ≥ 0.7 | **no** |');
});
