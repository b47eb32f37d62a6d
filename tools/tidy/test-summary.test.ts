import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startVitest } from 'vitest/node';
import { summarize, summaryLine, type TestReport } from './test-summary.ts';
import {
  type UnhandledErrors,
  unhandledErrorsPath,
  unhandledErrorsReporter,
} from './unhandled-errors.ts';

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

  it('counts what was thrown outside of any test as a failure', () => {
    const unhandledErrors = ['Error: the connection is gone'];
    const reports = new Map([['core', report({ numPassedTests: 3, unhandledErrors })]]);
    const summary = summarize(['core'], reports);
    expect(summaryLine(summary)).toBe('3 passed, 1 failed, 0 skipped');
    expect(summary.notes).toEqual([
      'core: thrown outside of any test: Error: the connection is gone',
    ]);
  });

  it('reads what the runner of this repository writes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'annals-summary-'));
    try {
      await writeFile(
        join(folder, 'a.test.ts'),
        `it('passes', () => {});
         it('fails', () => { throw new Error('no'); });
         it('leaves one behind', async () => {
           Promise.reject(new Error('nobody waits for me'));
           await new Promise((resolve) => setTimeout(resolve));
         });
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
        reporters: ['json', unhandledErrorsReporter(outputFile)],
        outputFile,
        include: ['*.test.ts'],
        exclude: [],
      });
      await runner.close();
      const written = JSON.parse(await readFile(outputFile, 'utf8')) as TestReport;
      const beside = await readFile(unhandledErrorsPath(outputFile), 'utf8');
      const report = { ...written, ...(JSON.parse(beside) as UnhandledErrors) };
      const summary = summarize(['core'], new Map([['core', report]]));
      expect(summaryLine(summary)).toBe('2 passed, 3 failed, 2 skipped');
      expect(summary.notes.join()).toContain('Error: nobody waits for me');
    } finally {
      process.exitCode = undefined;
      await rm(folder, { recursive: true, force: true });
    }
  });
});
