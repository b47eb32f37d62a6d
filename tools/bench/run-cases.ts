import { PreparedFolders } from './data/prepared-folders.ts';
import type { Bench, BenchCase, Comparison } from './harness.ts';

/**
 * Runs cases one after the other. One that fails becomes a row that says how, and the others go on:
 * `failed` names it.
 */
export async function runCases(
  cases: readonly BenchCase[],
  { scale, tell }: Pick<Bench, 'scale' | 'tell'>,
): Promise<{ readonly comparisons: readonly Comparison[]; readonly failed: readonly string[] }> {
  const comparisons: Comparison[] = [];
  const failed: string[] = [];
  const inside = (line: string) => tell(`    ${line}`);
  const prepared = new PreparedFolders(inside);
  try {
    for (const [index, one] of cases.entries()) {
      tell(`${index + 1}/${cases.length} ${one.name}: ${one.summary}`);
      const started = performance.now();
      try {
        comparisons.push(...(await one.run({ scale, tell: inside, prepared })));
      } catch (error) {
        failed.push(one.name);
        const remark = `failed: ${error instanceof Error ? error.message : String(error)}`;
        inside(remark);
        comparisons.push({ work: one.name, peer: '', reach: '', remark });
      }
      inside(`${((performance.now() - started) / 1_000).toFixed(1)} s`);
    }
    return { comparisons, failed };
  } finally {
    await prepared.remove();
  }
}
