import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startVitest } from 'vitest/node';
import { summarize, summaryLine, type TestReport } from './test-summary.ts';

function report(counts: Partial<TestReport>): TestReport {
  return {
    numPassedTests: 0,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [],
    ...counts,
  };
}

describe('the sum of the reports', () => {
  it('adds up what passed, failed and was skipped, and names the last two', () => {
    const reports = new Map([
      ['core', report({ numPassedTests: 5 })],
      [
        'cli',
        report({
          numPassedTests: 2,
          numFailedTests: 1,
          numPendingTests: 1,
          numTodoTests: 1,
          testResults: [
            {
              name: 'a.test.ts',
              status: 'failed',
              assertionResults: [
                { fullName: 'keeps order', status: 'failed' },
                { fullName: 'on Redis (skipped: not running)', status: 'skipped' },
                { fullName: 'works', status: 'passed' },
              ],
            },
          ],
        }),
      ],
    ]);
    const summary = summarize(['core', 'cli'], reports);
    expect(summaryLine(summary)).toBe('7 passed, 1 failed, 2 skipped');
    expect(summary.notes).toEqual([
      'cli: failed: keeps order',
      'cli: skipped: on Redis (skipped: not running)',
    ]);
  });

  it('counts a project without a report as a failure', () => {
    const summary = summarize(['core', 'cli'], new Map([['core', report({ numPassedTests: 1 })]]));
    expect(summaryLine(summary)).toBe('1 passed, 1 failed, 0 skipped');
    expect(summary.notes).toEqual(['cli: no test report']);
  });

  it('counts a report without a test as a failure', () => {
    const summary = summarize(['core'], new Map([['core', report({})]]));
    expect(summaryLine(summary)).toBe('0 passed, 1 failed, 0 skipped');
  });

  it('counts a file that did not load as a failure, beside files that passed', () => {
    const broken = { name: 'b.test.ts', status: 'failed', assertionResults: [] };
    const reports = new Map([['core', report({ numPassedTests: 3, testResults: [broken] })]]);
    const summary = summarize(['core'], reports);
    expect(summaryLine(summary)).toBe('3 passed, 1 failed, 0 skipped');
    expect(summary.notes).toEqual(['core: b.test.ts did not load']);
  });

  it('reads what the runner of this repository writes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'annals-summary-'));
    try {
      await writeFile(
        join(folder, 'a.test.ts'),
        `it('passes', () => {});
         it('fails', () => { throw new Error('no'); });
         it.skip('is skipped', () => {});
         it.todo('is thought of');`,
      );
      await writeFile(join(folder, 'b.test.ts'), "import './nowhere.ts';");
      const outputFile = join(folder, 'report.json');
      const runner = await startVitest('test', [], {
        root: folder,
        config: false,
        watch: false,
        globals: true,
        reporters: ['json'],
        outputFile,
        include: ['*.test.ts'],
        exclude: [],
      });
      await runner.close();
      const written = JSON.parse(await readFile(outputFile, 'utf8')) as TestReport;
      const summary = summarize(['core'], new Map([['core', written]]));
      expect(summaryLine(summary)).toBe('1 passed, 2 failed, 2 skipped');
    } finally {
      process.exitCode = undefined;
      await rm(folder, { recursive: true, force: true });
    }
  });
});
