import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cases } from './cases.ts';
import { scales } from './harness.ts';
import { nodeOptions } from './processes/rebuilds.ts';
import { runCases } from './run-cases.ts';

/** Every case runs, small, so that the bench cannot rot. How fast it was says nothing here. */
const tiny = { ...scales.quick, stretchMs: 100, loadMs: 300, million: 2_000 };

for (const one of cases) {
  test(`${one.name} measures`, { timeout: 180_000 }, async () => {
    const { comparisons, failed } = await runCases([one], { scale: tiny, tell: () => undefined });
    expect(failed, comparisons.map(({ remark }) => remark).join()).toEqual([]);
    expect(comparisons.length).toBeGreaterThan(0);
    for (const { ours, theirs, ratio, remark } of comparisons) {
      const figures = [ours?.value, theirs?.value, ratio].filter((value) => value !== undefined);
      for (const value of figures) expect(value).toBeGreaterThan(0);
      if (!ours && !theirs) expect(remark).toContain('installed');
    }
  });
}

test('--list shows each name apart from what it measures', () => {
  const main = join(import.meta.dirname, 'main.ts');
  const listed = spawnSync(process.execPath, [main, '--list'], { encoding: 'utf8' });
  const lines = listed.stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual(
    cases.map(({ name, summary }) => [name, summary]),
  );
  // The summaries stand under each other.
  const columns = lines.map((line, index) => line.lastIndexOf(cases[index]?.summary as string));
  expect(new Set(columns).size).toBe(1);
}, 60_000);

test('no two cases have one name', () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
});

test('what a rebuild is measured with is what the command is started with', () => {
  const command = join(import.meta.dirname, '../cli/bin/annals.ts');
  const [first] = readFileSync(command, 'utf8').split('\n', 1);
  expect(first).toBe(`#!/usr/bin/env -S node ${nodeOptions.join(' ')}`);
});
