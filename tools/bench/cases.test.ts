import { expect, test } from 'vitest';
import { cases } from './cases.ts';
import { scales } from './harness.ts';
import { runCases } from './run-cases.ts';

/** Every case runs, small, so that the bench cannot rot. How fast it was says nothing here. */
const tiny = { ...scales.quick, stretchMs: 100, loadMs: 300, million: 2_000 };

for (const one of cases) {
  test(`${one.name} measures`, { timeout: 60_000 }, async () => {
    const { comparisons, failed } = await runCases([one], { scale: tiny, tell: () => undefined });
    expect(failed, comparisons.map(({ remark }) => remark).join()).toEqual([]);
    expect(comparisons.length).toBeGreaterThan(0);
    for (const { ours, theirs, ratio, remark } of comparisons) {
      const figures = [ours?.value, theirs?.value, ratio].filter((value) => value !== undefined);
      for (const value of figures) expect(value).toBeGreaterThan(0);
      if (!ours) expect(remark).toContain('installed');
    }
  });
}

test('no two cases have one name', () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
});
