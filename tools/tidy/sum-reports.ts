import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSourceTree, repositoryRoot } from './read-tree.ts';
import { summarize, summaryLine, type TestReport } from './test-summary.ts';
import { type UnhandledErrors, unhandledErrorsPath } from './unhandled-errors.ts';

/**
 * Prints what failed or was skipped in `reports/`, and the sum as the last line. Exits with 1 when a test failed. With
 * `--long` the tests that take minutes are expected to have run as well.
 */
const tree = readSourceTree();
const projects = tree.packages.map(({ folder }) => folder.slice(folder.indexOf('/') + 1));
if (process.argv.includes('--long')) {
  for (const { folder } of tree.packages) {
    const hasLong = tree.code.some(
      ({ path }) => path.startsWith(`${folder}/`) && path.endsWith('.long.test.ts'),
    );
    if (hasLong) projects.push(`${folder.slice(folder.indexOf('/') + 1)}-long`);
  }
}
const reports = new Map<string, TestReport>();
for (const project of projects) {
  const path = join(repositoryRoot, 'reports', `${project}.json`);
  const report = readReport<TestReport>(path);
  const unhandled = readReport<UnhandledErrors>(unhandledErrorsPath(path));
  if (report) reports.set(project, { ...report, ...unhandled });
}
const summary = summarize(projects, reports);
for (const note of summary.notes) process.stdout.write(`${note}\n`);
process.stdout.write(`${summaryLine(summary)}\n`);
process.exitCode = summary.failed > 0 ? 1 : 0;

/** Undefined when there is none, or only half of one: a runner that was killed leaves such a file. */
function readReport<Report>(path: string): Report | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
