import { test } from 'vitest';

/**
 * A test that needs something of the machine: skipped by name with the reason where that is not
 * there, and failed where the environment says `ENGINES=required`.
 */
export function testNeeding(
  problem: string | undefined,
  name: string,
  run: () => Promise<void>,
): void {
  if (problem === undefined || process.env.ENGINES === 'required') test(name, run, 120_000);
  else test.skip(`${name} (skipped: ${problem})`, run);
}
