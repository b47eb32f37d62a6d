/** One run of vitest as its JSON reporter writes it: the parts that are counted. */
export interface TestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** What was thrown outside of any test: it fails the run, whatever the tests said. */
  readonly unhandledErrors?: readonly string[];
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
    }[];
  }[];
}

export interface TestSummary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed or was left out, one line each. */
  readonly notes: readonly string[];
}

/**
 * Adds up the reports of a run. A project without a report, a report without a test, and a file
 * that failed before its first test each count as one failure: nothing that did not run looks green.
 */
export function summarize(
  projects: readonly string[],
  reports: ReadonlyMap<string, TestReport>,
): TestSummary {
  return projects
    .map((project) => summaryOf(project, reports.get(project)))
    .reduce(
      (sum, one) => ({
        passed: sum.passed + one.passed,
        failed: sum.failed + one.failed,
        skipped: sum.skipped + one.skipped,
        notes: [...sum.notes, ...one.notes],
      }),
      { passed: 0, failed: 0, skipped: 0, notes: [] },
    );
}

function summaryOf(project: string, report: TestReport | undefined): TestSummary {
  if (!report) {
    return { passed: 0, failed: 1, skipped: 0, notes: [`${project}: no test report`] };
  }
  const skipped = report.numPendingTests + report.numTodoTests;
  if (report.numPassedTests + report.numFailedTests + skipped === 0) {
    const brokenFiles = brokenFilesOf(report).map((name) => `${project}: ${name} did not load`);
    const notes = brokenFiles.length > 0 ? brokenFiles : [`${project}: no test ran`];
    return { passed: 0, failed: notes.length, skipped: 0, notes };
  }
  const broken = brokenFilesOf(report);
  const unhandled = report.unhandledErrors ?? [];
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length + unhandled.length,
    skipped,
    notes: [
      ...unhandled.map((error) => `${project}: thrown outside of any test: ${error}`),
      ...broken.map((name) => `${project}: ${name} did not load`),
      ...report.testResults.flatMap((file) =>
        file.assertionResults
          .filter(({ status }) => status !== 'passed')
          .map(({ status, fullName }) => `${project}: ${status}: ${fullName}`),
      ),
    ],
  };
}

/** Files that failed although none of their tests did: their import or a hook of theirs threw. */
function brokenFilesOf(report: TestReport): string[] {
  return report.testResults
    .filter(
      ({ status, assertionResults }) =>
        status === 'failed' && assertionResults.every((one) => one.status !== 'failed'),
    )
    .map(({ name }) => name);
}

export function summaryLine({ passed, failed, skipped }: TestSummary): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
