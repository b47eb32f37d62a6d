import { Command, InvalidArgumentError, Option } from 'commander';
import { exitCodeMeanings, exitCodes } from './exit-codes.ts';
import { limits } from './limits.ts';

export interface Options {
  readonly url: string;
  /** Whether the address was named: then nothing is started in its place. */
  readonly urlNamed: boolean;
  readonly key: string | undefined;
  /** The data folder of the service at `url`. */
  readonly data: string | undefined;
  readonly own: boolean;
  readonly leaderboard: string;
  readonly players: number;
  readonly matches: number;
  readonly seed: number;
  readonly keep: boolean;
  readonly json: boolean;
  readonly yes: boolean;
}

const urlDefault = 'http://127.0.0.1:8080';

/** The command line of the demo, before it is parsed. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Plays a month of matches through the HTTP API, shows the board, then kills the read model, ' +
        'rebuilds it from the log, and proves that not one rank differs. Starts a service of its own ' +
        'where none runs.',
    )
    .addOption(
      new Option('--url <url>', 'the service to play on')
        .default(urlDefault)
        .env('ANNALS_URL')
        .argParser(httpUrl),
    )
    .addOption(new Option('--key <key>', 'its API key').env('ANNALS_ADMIN_KEY'))
    .option('--data <folder>', 'its data folder, on this machine: the read model is killed there')
    .option('--own', 'start a service for the demo, also where one runs')
    .option('--leaderboard <id>', 'a monthly board that adds up points', boardId, 'default')
    .option('--players <number>', 'who plays', within(limits.playersMin, limits.playersMax), 2_000)
    .option('--matches <number>', 'two play', within(limits.matchesMin, limits.matchesMax), 20_000)
    .option('--seed <number>', 'another seed, another month', within(0, limits.seedMax), 1)
    .option('--keep', "keep the data folder of the demo's own service")
    .option('--json', 'one JSON document at the end, and nothing else on stdout')
    .option('--yes', 'do not ask before writing to a service that was already running')
    .configureHelp({ helpWidth: 100 })
    .addHelpText('after', epilogue);
}

/** The options as given; commander ends the program, or throws under `exitOverride`, when they are wrong. */
export function parseOptions(command: Command, argv: readonly string[]): Options {
  command.parse(argv, { from: 'user' });
  const given = command.opts<Partial<Options>>();
  const { url = urlDefault, key, data, own = false } = given;
  if (own && data !== undefined) {
    command.error('error: --data is the folder of a running service; --own makes one of its own');
  }
  if (own && command.getOptionValueSource('url') === 'cli') {
    command.error('error: --own starts a service, --url names a running one: say one of the two');
  }
  return {
    url,
    urlNamed: command.getOptionValueSource('url') !== 'default',
    key: key || undefined,
    data,
    own,
    leaderboard: given.leaderboard ?? 'default',
    players: given.players ?? limits.playersMin,
    matches: given.matches ?? limits.matchesMin,
    seed: given.seed ?? 0,
    keep: given.keep ?? false,
    json: given.json ?? false,
    yes: given.yes ?? false,
  };
}

function within(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

function boardId(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError('It is 1 to 64 of a-z, 0-9, _ and -.');
}

function httpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('It is an http or https URL.');
}

function epilogue(): string {
  const codes = Object.entries(exitCodes).map(
    ([name, code]) =>
      `  ${String(code).padEnd(4)} ${exitCodeMeanings[name as keyof typeof exitCodes]}`,
  );
  return `
Examples:
  npm run demo                                    a service of its own, in about a minute
  npm run demo -- --players 200 --matches 1000    a small one, in some seconds
  npm run demo -- --url http://127.0.0.1:8080 --key "$ANNALS_ADMIN_KEY" --data ./data
                                                  on a running service, with its read model

Exit codes:
${codes.join('\n')}`;
}
