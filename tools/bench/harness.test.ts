import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { alternate, type BenchCase, median, quantile, ratePerSecond, scales } from './harness.ts';
import { machine, markdownReport, textReport } from './report.ts';
import { runCases } from './run-cases.ts';

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

test('a rate hands each item to one caller, and ends with the items', async () => {
  const done: number[] = [];
  let atOnce = 0;
  let atOnceMax = 0;
  const once = async (item: number) => {
    atOnce += 1;
    atOnceMax = Math.max(atOnceMax, atOnce);
    await nextTurn();
    done.push(item);
    atOnce -= 1;
  };
  expect(await ratePerSecond(60_000, [1, 2, 3, 4, 5], once, 2)).toBeGreaterThan(0);
  expect(done).toEqual([1, 2, 3, 4, 5]);
  expect(atOnceMax).toBe(2);
});

test('a rate ends with its time', async () => {
  const items = Array.from({ length: 100_000 }, (_, index) => index);
  let done = 0;
  await ratePerSecond(5, items, async () => {
    done += 1;
    await nextTurn();
  });
  expect(done).toBeGreaterThan(0);
  expect(done).toBeLessThan(items.length);
});

const missed = {
  work: 'append',
  ours: { value: 1234.5, unit: 'events/s' },
  peer: 'raw',
  theirs: { value: 2, unit: 'events/s' },
  ratio: 0.5,
  reach: '≥ 0.7',
  met: false,
} as const;
const at = new Date('2026-11-24T00:00:00Z');
const row = `| append | 1,235 events/s | raw: 2 events/s | 0.50 | ≥ 0.7 | **no** |  | 2026-11-24 00:00, ${machine()} |`;

test('the report says what was missed', () => {
  expect(markdownReport([missed], { at, scale: 'full' })).toContain(row);
  expect(textReport([missed])).toBe(
    '✗ append   0.50 (reach ≥ 0.7)\n    1,235 events/s\n    2 events/s  raw',
  );
});

test('rows of an earlier report stay, but for those measured again', () => {
  const earlier = markdownReport([missed, { ...missed, work: 'read | all' }], {
    at,
    scale: 'full',
  });
  const later = new Date('2026-11-25T00:00:00Z');
  const page = markdownReport([{ ...missed, ratio: 0.8, met: true }], {
    at: later,
    scale: 'full',
    earlier,
  });
  const rows = page.split('\n').filter((line) => /^\| (?:append|read)/.test(line));
  expect(rows).toEqual([
    row.replace('0.50', '0.80').replace('**no**', 'yes').replace('2026-11-24', '2026-11-25'),
    row.replace('append', 'read \\| all'),
  ]);
});

test('a case that fails is a row that says so, and the next one runs', async () => {
  const broken: BenchCase = {
    name: 'broken',
    summary: 'throws',
    run: () => Promise.reject(new Error('no disk')),
  };
  const fine: BenchCase = { name: 'fine', summary: 'measures', run: async () => [missed] };
  const { comparisons, failed } = await runCases([broken, fine], {
    scale: scales.quick,
    tell: () => undefined,
  });
  expect(failed).toEqual(['broken']);
  expect(comparisons).toMatchObject([{ work: 'broken', remark: 'failed: no disk' }, missed]);
});
