import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineNames } from './kinds/kinds.ts';
import { run } from './run.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-command-line-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A machine without any program. */
async function called(...argv: readonly string[]) {
  let out = '';
  let err = '';
  const code = await run(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { PATH: '', ANNALS_ENGINES_FOLDER: folder },
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

describe('npm run engines', () => {
  it('--help tells the engines, examples and exit codes', async () => {
    const { code, out } = await called('--help');
    expect(code).toBe(0);
    for (const text of [...engineNames, 'npm run engines -- up', 'Exit codes', '.engines']) {
      expect(out).toContain(text);
    }
  });

  it('without a command shows its help, and is a wrong command line', async () => {
    const { code, err } = await called();
    expect(code).toBe(2);
    expect(err).toContain('Usage: engines');
  });

  it('up --help tells its options', async () => {
    expect((await called('up', '--help')).out).toContain('--hold <pid>');
  });

  it.each([
    ['redis', 'apt-get install -y --no-install-recommends redis-server'],
    ['redis-cluster', 'apt-get install -y --no-install-recommends redis-server'],
    ['kafka', 'apt-get install -y --no-install-recommends openjdk-17-jre-headless'],
    ['cassandra', 'apt-get install -y --no-install-recommends openjdk-17-jre-headless'],
  ])('up %s without its programs says what to install', async (id, command) => {
    const { code, err } = await called('up', id, '--json');
    expect(code).toBe(5);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(err)).toEqual({
      error: expect.stringContaining(command),
      code: 'missing-program',
      exit_code: 5,
    });
  });

  it.each([
    [['up'], 'missing required argument'],
    [['up', 'oracle'], 'there is no engine oracle: redis, redis-cluster, kafka'],
    [['up', 'redis@../..'], 'there is no engine redis@../..'],
    [['up', 'redis@'], 'there is no engine redis@'],
    [['down', 'toString'], 'there is no engine toString'],
    [['status', 'constructor'], 'there is no engine constructor'],
    [['logs', '../../x/1'], 'is no node'],
    [['logs', 'oracle/1'], 'there is no engine oracle'],
    [['logs', 'redis', '--lines', '0'], 'give a whole number from 1'],
    [['kill', 'kafka3'], 'kafka3 is no node: name one as kafka3/2'],
    [['kill', 'kafka3/0'], 'kafka3/0 is no node'],
    [['kill', 'redis/1'], 'redis is not up'],
    [['up', 'redis', '--hold', 'me'], 'give a whole number from 1'],
    [['fetch', 'redis'], 'redis does not come by Maven'],
    [['upp', 'redis'], "unknown command 'upp'"],
  ])('%j is refused in one line', async (argv, message) => {
    const { code, err, out } = await called(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(/^engines: [^\n]*\n$/);
    expect(err).toContain(message);
    expect(out).toBe('');
  });

  it('status of nothing is nothing', async () => {
    expect(await called('status')).toEqual({ code: 0, out: 'nothing is up\n', err: '' });
    expect(await called('status', 'kafka', '--json')).toEqual({ code: 0, out: '[]\n', err: '' });
  });
});
