import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

function sim(...argv: readonly string[]) {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...argv], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

describe('npm run sim', { timeout: 120_000 }, () => {
  test('plays as many seeds as it is told, from one on', () => {
    const { code, out } = sim('leaderboard', '--seeds', '2', '--from', '0');
    expect(code).toBe(0);
    expect(out).toMatch(/^2 seeds from 0, \d+ events, .*: all promises held\n$/);
  });

  test('threads play the same seeds, to the same end', () => {
    const [one, more] = ['1', '2'].map((threads) => {
      const { out } = sim('leaderboard', '--seeds', '6', '--threads', threads);
      return /^6 seeds from 1, (\d+) events, .*: all promises held\n$/.exec(out)?.[1];
    });
    expect(one).toBeDefined();
    expect(more).toBe(one);
  });

  test.each([
    ['no seed at all', 'leaderboard --seeds 0', /whole number from 1 to/],
    ['what is no number', 'leaderboard --seeds many', /whole number from 1 to/],
    ['no thread at all', 'leaderboard --threads 0', /whole number from 1 to/],
    ['a number too large', 'leaderboard --seed 1234567890', /whole number from 0 to 999999999/],
    [
      'another product',
      'mail',
      /there is no product mail to simulate: leaderboard, kafka, payments/,
    ],
    ['no product', '', /missing required argument/],
    ['an option that is none', 'leaderboard --frob', /unknown option/],
  ])('%s is a wrong option: nothing is played, and exit code 2', (_name, line, message) => {
    const { code, out, err } = sim(...line.split(' ').filter((word) => word !== ''));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  test('its help is no error', () => {
    expect(sim('--help')).toMatchObject({ code: 0, err: '' });
  });
});
