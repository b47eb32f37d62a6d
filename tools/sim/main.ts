import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { playSeeds } from './play-seeds.ts';
import { products } from './products.ts';

/** `npm run sim -- PRODUCT`: plays seeds until one breaks a promise. */
const seedsDefault = 100;

const seedMax = 999_999_999;

/** An option's value: a whole number from `min`. */
function wholeNumberFrom(min: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${seedMax}.`);
  };
}

const program = new Command('sim')
  .description('Plays random commands and faults from a seed and checks every promise at the end.')
  .argument('<product>', `one of: ${Object.keys(products).join(', ')}`)
  .option('--seed <n>', 'play this one seed and print its trace', wholeNumberFrom(0))
  .option('--seeds <count>', 'how many seeds to play', wholeNumberFrom(1), seedsDefault)
  .option('--from <n>', 'the first of them', wholeNumberFrom(0), 1)
  .option(
    '--threads <count>',
    'how many threads play them',
    wholeNumberFrom(1),
    availableParallelism(),
  )
  .addHelpText(
    'after',
    '\nExamples:\n  npm run sim -- leaderboard --seeds 500\n  npm run sim -- leaderboard --seed 42\n' +
      '\nExit codes: 0 all promises held, 1 a seed broke a promise (it is printed with the end of its ' +
      'trace), 2 wrong options.',
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

const options = program.opts<{ seed?: number; seeds: number; from: number; threads: number }>();
const [product = ''] = program.args;
if (!Object.hasOwn(products, product)) {
  program.error(`there is no product ${product} to simulate: ${Object.keys(products).join(', ')}`);
}
const started = performance.now();
const first = options.seed ?? options.from;
const count = options.seed === undefined ? options.seeds : 1;
const { threads } = options;
const { events, last, broken } = await playSeeds({ product, first, count, threads });
const shown = broken ?? (options.seed === undefined ? undefined : last);
if (shown) {
  for (const line of shown.trace) process.stdout.write(`${line}\n`);
  process.stdout.write(`seed ${shown.seed}: ${shown.lines} steps, digest ${shown.digest}\n`);
}
if (broken?.failure) {
  const { seed, failure } = broken;
  process.stdout.write(`${failure.message}\nseed ${seed} broke "${failure.invariant}": `);
  process.stdout.write(`npm run sim -- ${product} --seed ${seed}\n`);
  process.exit(1);
}
const seconds = ((performance.now() - started) / 1_000).toFixed(1);
process.stdout.write(
  `${count} seeds from ${first}, ${events} events, ${seconds} s: all promises held\n`,
);
// Timers of killed processes may be left; nothing is waited for any more.
process.exit(0);
