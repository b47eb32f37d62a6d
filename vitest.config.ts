import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { unhandledErrorsReporter } from './tools/tidy/unhandled-errors.ts';

// Nx asks its tasks for colors. The programs that tests start would inherit that, and Node.js warns on
// standard error where NO_COLOR is set, too.
delete process.env.FORCE_COLOR;

// Tests start many programs of ours: what was compiled of them once is kept, which halves each start.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules', '.cache', 'compiled');

// A run that is summed up is told where its report goes: what was thrown outside of any test goes beside it.
const reportFlag = '--outputFile.json=';
const reportPath = process.argv
  .find((argument) => argument.startsWith(reportFlag))
  ?.slice(reportFlag.length);

// Tests that take minutes have a target of their own (`npm run test:long`), and run where they are named.
const isLong =
  process.env.ANNALS_TESTS === 'long' ||
  process.argv.some((argument) => argument.includes('.long'));

export default defineConfig({
  test: {
    include: [`{apps,libs,tools}/**/*${isLong ? '.long' : ''}.test.ts`],
    exclude: ['**/node_modules/**', ...(isLong ? [] : ['**/*.long.test.ts'])],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Files of one worker share what they import, which was a third of all work: no test changes a module or the
    // environment of its process for good. The long ones kill what they find, each in a process of its own.
    isolate: isLong,
    reporters: reportPath ? ['default', 'json', unhandledErrorsReporter(reportPath)] : ['default'],
    // Real servers and killed processes on two shared cores: what fails twice more is a failure.
    retry: process.env.CI ? 2 : 0,
  },
});
