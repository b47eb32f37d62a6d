import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { breakClasses, breakClassTable } from './break-classes.ts';
import { reconciliationLimits as limits } from './limits.ts';

const page = readFileSync(
  join(import.meta.dirname, '../../../docs/payments-reconciliation.md'),
  'utf8',
);

test('the page prints the table of break classes', () => {
  const rows = breakClasses.map((name) => {
    const { meaning, treatment, because } = breakClassTable[name];
    return `| \`${name}\` | ${meaning} | ${treatment} | ${because} |`;
  });
  expect(page).toContain(rows.join('\n'));
  const printed = page
    .split('\n')
    .filter((line) => /^\| `\w+_?\w*` \|.*\| (correct|wait|finance|special) \|/.test(line));
  expect(printed).toHaveLength(breakClasses.length);
});

test('the words of the table are the limits of the code', () => {
  expect(limits.feeBasisPointsMax).toBe(1_000);
  expect(limits.timingMsMax).toBe(6 * 3_600_000);
  expect(limits.waitsMax).toBe(3);
  expect(limits.roundingMinorMax).toBe(1n);
  expect(page).toContain(`(${limits.runRows.toLocaleString('en-US')} rows a run)`);
});
