import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { demoCommand, parseOptions } from './options.ts';

let printed = '';

function parse(...argv: string[]) {
  printed = '';
  const write = (text: string) => {
    printed += text;
  };
  const command = demoCommand()
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
  return parseOptions(command, argv);
}

beforeEach(() => {
  for (const name of ['ANNALS_URL', 'ANNALS_ADMIN_KEY']) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the command line', () => {
  it('plays a month of 20,000 matches on the usual address unless told', () => {
    expect(parse()).toEqual({
      url: 'http://127.0.0.1:8080',
      urlNamed: false,
      key: undefined,
      data: undefined,
      own: false,
      leaderboard: 'default',
      players: 2_000,
      matches: 20_000,
      seed: 1,
      keep: false,
      json: false,
      yes: false,
    });
  });

  it('takes address and key from the environment, and rather from options', () => {
    vi.stubEnv('ANNALS_URL', 'https://scores.example/');
    vi.stubEnv('ANNALS_ADMIN_KEY', 'from-environment');
    expect(parse()).toMatchObject({
      url: 'https://scores.example',
      urlNamed: true,
      key: 'from-environment',
    });
    expect(parse('--url', 'http://a:1', '--key', 'k')).toMatchObject({
      url: 'http://a:1',
      key: 'k',
    });
    // The environment of a running service does not forbid a service for the demo.
    expect(parse('--own')).toMatchObject({ own: true });
  });

  it.each([
    [['--players', '1'], 'a whole number from 2 to'],
    [['--players', '1e3'], 'a whole number from 2 to'],
    [['--matches', '0'], 'a whole number from 1 to'],
    [['--matches', '-5'], 'a whole number from 1 to'],
    [['--seed', '1.5'], 'a whole number from 0 to'],
    [['--url', 'ftp://a'], 'an http or https URL'],
    [['--url', '8080'], 'an http or https URL'],
    [['--leaderboard', 'No Way'], '1 to 64 of'],
    [['--own', '--url', 'http://a'], 'say one of the two'],
    [['--own', '--data', 'x'], '--own makes one of its own'],
    [['--nope'], 'unknown option'],
    [['extra'], 'too many arguments'],
  ])('refuses %j', (argv, reason) => {
    expect(() => parse(...argv)).toThrow(CommanderError);
    expect(printed).toContain(reason);
  });

  it('helps with examples and exit codes, and does not show the key', () => {
    vi.stubEnv('ANNALS_ADMIN_KEY', 'a-secret-of-the-environment');
    expect(() => parse('--help')).toThrow(CommanderError);
    expect(printed).toContain('npm run demo -- --players 200');
    expect(printed).toContain('130  Stopped by a signal');
    expect(printed).not.toContain('a-secret');
  });
});
