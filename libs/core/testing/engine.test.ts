import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeOn, engine } from './engine.ts';

describe('an engine that the environment names', () => {
  it('is used as it is, and not stopped', async () => {
    const answer = await engine('kafka', { env: { ANNALS_TEST_KAFKA: 'a:1,b:2' } });
    if (answer.kind !== 'running') throw new Error(answer.reason);
    expect(answer.engine).toMatchObject({ url: 'kafka://a:1,b:2', addresses: ['a:1', 'b:2'] });
    await expect(answer.engine.act('kill', 1)).rejects.toThrow('not started by the tests');
  });

  it.each([
    ['redis', 'redis://user:secret@cache:6379/2', ['cache:6379']],
    ['eventstoredb', 'esdb://admin:changeit@node:2113?tls=true', ['node:2113']],
  ] as const)('may be a whole url: %s', async (name, url, addresses) => {
    const env = { [`ANNALS_TEST_${name.toUpperCase()}`]: url };
    const answer = await engine(name, { env });
    expect(answer).toMatchObject({ kind: 'running', engine: { url, addresses } });
  });

  it.each([
    ['redis-cluster', 'ANNALS_TEST_REDIS_CLUSTER', 'redis://a:1,b:2?cluster=true'],
    ['kafka3', 'ANNALS_TEST_KAFKA3', 'kafka://a:1,b:2'],
    ['eventstoredb', 'ANNALS_TEST_EVENTSTOREDB', 'esdb://a:1,b:2'],
  ] as const)('gets the scheme of its kind: %s', async (name, variable, url) => {
    const answer = await engine(name, { env: { [variable]: 'a:1,b:2' } });
    expect(answer).toMatchObject({ kind: 'running', engine: { url } });
  });
});

describe('an engine whose programs are missing', () => {
  const bare = { PATH: '', ANNALS_ENGINES_FOLDER: '' };

  beforeAll(async () => {
    bare.ANNALS_ENGINES_FOLDER = await mkdtemp(join(tmpdir(), 'annals-no-engines-'));
  });
  afterAll(() => rm(bare.ANNALS_ENGINES_FOLDER, { recursive: true }));

  it('is missing for a reason that tells what to install', async () => {
    const answer = await engine('redis', { env: bare });
    expect(answer).toEqual({ kind: 'missing', reason: expect.stringMatching(/apt-get install/) });
  });

  it('cannot be named by the environment when tests want one of their own', async () => {
    const env = { ...bare, ANNALS_TEST_REDIS: 'cache:6379' };
    expect(await engine('redis', { env, label: 'own' })).toMatchObject({ kind: 'missing' });
  });
});

await describeOn(
  'redis',
  'a suite on an engine that is there',
  (redis) => {
    it('is given the engine', () => expect(redis.addresses).toEqual(['cache:6379']));
  },
  { env: { ANNALS_TEST_REDIS: 'cache:6379' } },
);
