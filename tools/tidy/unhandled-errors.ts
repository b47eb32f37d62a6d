import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What was thrown outside of any test, as it stands beside the report of a run. */
export interface UnhandledErrors {
  readonly unhandledErrors: readonly string[];
}

interface ThrownError {
  readonly name?: string;
  readonly message: string;
  readonly stack?: string;
}

/** Where the errors of the run stand whose JSON report is `reportPath`. */
export function unhandledErrorsPath(reportPath: string): string {
  return reportPath.replace(/\.json$/, '.unhandled.json');
}

/**
 * A reporter of vitest: an error that was thrown outside of any test fails the run, and the JSON report does not say
 * so. It is written beside that report.
 */
export function unhandledErrorsReporter(reportPath: string) {
  return {
    onTestRunEnd(_modules: readonly unknown[], errors: readonly ThrownError[]): void {
      const unhandledErrors = errors.map(({ name, message, stack }) =>
        [`${name ?? 'Error'}: ${message}`, ...(stack ?? '').split('\n').slice(1, 6)].join('\n'),
      );
      const path = unhandledErrorsPath(reportPath);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify({ unhandledErrors } satisfies UnhandledErrors));
    },
  };
}
