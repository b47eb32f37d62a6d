import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Command } from 'commander';
import { cases } from './cases.ts';
import { scales } from './harness.ts';
import { machine, markdownReport, textReport } from './report.ts';
import { runCases } from './run-cases.ts';

/** `npm run bench`: Annals beside what a user would pick instead, in one run. */
const root = join(import.meta.dirname, '..', '..');
const results = join(root, 'bench', 'results.md');
const tell = (text: string) => process.stderr.write(`${text}\n`);

interface Options {
  readonly quick?: true;
  readonly only?: string[];
  readonly list?: true;
}

const program = new Command('bench')
  .description('Measures Annals beside what a user would pick instead, and prints the ratios.')
  .option('--quick', 'a small scale, to see that everything runs; bench/results.md is not written')
  .option('--only <name...>', 'only these cases; their rows in bench/results.md are replaced')
  .option('--list', 'names of the cases')
  .addHelpText(
    'after',
    `
Exit codes: 0 all cases ran (whatever they measured), 1 a case failed, 2 wrong options, 130 stopped.
Examples:
  npm run bench
  npm run bench -- --quick
  npm run bench -- --only append-one-caller append-batches`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .action(run);

async function run(options: Options): Promise<void> {
  if (options.list) {
    const width = Math.max(...cases.map(({ name }) => name.length)) + 2;
    for (const { name, summary } of cases) {
      process.stdout.write(`${name.padEnd(width)}${summary}\n`);
    }
    return;
  }
  const unknown = options.only?.find((name) => !cases.some((one) => one.name === name));
  if (unknown !== undefined) program.error(`error: there is no case ${unknown}: see --list`);
  const chosen = cases.filter(({ name }) => options.only?.includes(name) ?? true);
  const scale = options.quick ? 'quick' : 'full';
  tell(`${chosen.length} cases, scale ${scale}, on ${machine()}`);
  const { comparisons, failed } = await runCases(chosen, { scale: scales[scale], tell });
  process.stdout.write(`${textReport(comparisons)}\n`);
  if (failed.length > 0) process.exitCode = 1;
  if (scale === 'quick') return;
  const earlier = options.only ? await readFile(results, 'utf8').catch(() => '') : '';
  await mkdir(dirname(results), { recursive: true });
  await writeFile(results, markdownReport(comparisons, { at: new Date(), scale, earlier }));
  tell(`written to ${relative(process.cwd(), results)}`);
}

// What is left over goes as the process exits: folders, servers.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
await program.parseAsync();
