import type { BenchCase, Comparison, Scale, Tell } from './harness.ts';

/**
 * Runs cases one after the other. One that fails becomes a row that says how, and the others go on:
 * `failed` names it.
 */
export async function runCases(
  cases: readonly BenchCase[],
  scale: Scale,
  tell: Tell,
): Promise<{ readonly comparisons: readonly Comparison[]; readonly failed: readonly string[] }> {
  const comparisons: Comparison[] = [];
  const failed: string[] = [];
  for (const [index, one] of cases.entries()) {
    const place = `${index + 1}/${cases.length} ${one.name}`;
    tell(`${place}: ${one.summary}`);
    const started = performance.now();
    try {
      comparisons.push(...(await one.run(scale, (line) => tell(`    ${line}`))));
    } catch (error) {
      failed.push(one.name);
      const remark = `failed: ${error instanceof Error ? error.message : String(error)}`;
      tell(`    ${remark}`);
      comparisons.push({ work: one.name, peer: '', reach: '', remark });
    }
    tell(`    ${((performance.now() - started) / 1_000).toFixed(1)} s`);
  }
  return { comparisons, failed };
}
