import { join } from 'node:path';
import { writeSettlementDay } from '../data/settlement-day.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase } from '../harness.ts';
import { Child } from '../processes/child.ts';
import type { FromReconcile } from '../processes/reconcile-process.ts';

const script = join(import.meta.dirname, '../processes/reconcile-process.ts');
const mib = 2 ** 20;
const memoryMibMax = 500;
const timesMax = 3;

export const reconciliation: BenchCase = {
  name: 'reconciliation',
  summary: 'a settlement file beside our entries, and sort and merge of two files',
  run: async ({ scale: { longRounds, million: lines }, tell }) =>
    withTemporaryFolder(async (folder) => {
      await writeSettlementDay({ folder, lines });
      const peaks = { annals: 0, 'sort-and-merge': 0 };
      const breaks = new Set<number>();
      const measure = async (way: keyof typeof peaks) => {
        const child = new Child<FromReconcile>(script, [way, folder]);
        try {
          const { elapsedMs, peakBytes, breaks: found } = await child.next();
          tell(`${way}: ${elapsedMs.toFixed(0)} ms, ${(peakBytes / mib).toFixed(0)} MiB`);
          peaks[way] = Math.max(peaks[way], peakBytes / mib);
          breaks.add(found);
          return (lines * 1_000) / elapsedMs;
        } finally {
          await child.end();
        }
      };
      const measured = await alternate(
        longRounds,
        () => measure('annals'),
        () => measure('sort-and-merge'),
      );
      if (breaks.size !== 1) throw new Error(`the two found ${[...breaks].join(' and ')} breaks`);
      const shown = lines.toLocaleString('en-US');
      return [
        {
          work: `reconciliation of a settlement file of ${shown} lines with as many entries`,
          ours: { value: measured.ours, unit: 'lines/s' },
          peer: 'csv-parse, sort and merge of both files in memory, nothing checked or classified',
          theirs: { value: measured.theirs, unit: 'lines/s' },
          ratio: measured.ratio,
          reach: `≤ ${timesMax} times its time`,
          met: measured.ratio >= 1 / timesMax,
          remark: `${[...breaks].join()} differences found by both`,
        },
        {
          work: `memory of that reconciliation: ${shown} lines`,
          ours: { value: peaks.annals, unit: 'MiB' },
          peer: 'the same peer',
          theirs: { value: peaks['sort-and-merge'], unit: 'MiB' },
          reach: `< ${memoryMibMax} MiB`,
          met: peaks.annals < memoryMibMax,
          remark: 'peak resident size of the process',
        },
      ];
    }),
};
