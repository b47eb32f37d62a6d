import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSourceTree, repositoryRoot } from './read-tree.ts';
import { summarize, summaryLine, type TestReport } from './test-summary.ts';

/** Prints what failed or was skipped in `reports/`, and the sum as the last line. Exits with 1 when a test failed. */
const projects = readSourceTree().packages.map(({ folder }) =>
  folder.slice(folder.indexOf('/') + 1),
);
const reports = new Map<string, TestReport>();
for (const project of projects) {
  const path = join(repositoryRoot, 'reports', `${project}.json`);
  if (existsSync(path)) reports.set(project, JSON.parse(readFileSync(path, 'utf8')) as TestReport);
}
const summary = summarize(projects, reports);
for (const note of summary.notes) process.stdout.write(`${note}\n`);
process.stdout.write(`${summaryLine(summary)}\n`);
process.exitCode = summary.failed > 0 ? 1 : 0;
