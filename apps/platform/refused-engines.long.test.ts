import { randomUUID } from 'node:crypto';
import { cp, readdir } from 'node:fs/promises';
import { describeOn, type Engine } from '@annals/core/testing';
import { openLogAt, openSite, siteConfigOf } from '@annals/projector';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { configSchema } from './config.ts';
import { runMain, runProjector } from './testing/platform-process.ts';
import { refusingCassandra } from './testing/refusing-cassandra.ts';
import { tellRedis } from './testing/tell-redis.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

async function freshFolder(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

async function settings<More extends { readonly [name: string]: string }>(more: More) {
  return { ANNALS_DATA: await freshFolder(), PORT: '0', ...more };
}

/** One line that tells what is wrong, and exit code 1. */
function expectRefused(ended: { code: number | null; err: string }, said: RegExp): void {
  const lines = ended.err.trim().split('\n');
  expect(lines.at(-1)).toMatch(said);
  expect(ended.code).toBe(1);
  expect(ended.err).not.toContain('secret');
}

const withUser = (url: string) => url.replace('://', '://nobody:secret@');

await describeOn('redis', 'A start on a Redis', (redis) => {
  test('that knows no such user and password', async () => {
    const env = await settings({ ANNALS_LEADERBOARD_STORE: withUser(redis.url) });
    const ended = await runMain(env).ended;
    expectRefused(ended, /^annals: cannot start: Redis refuses us: check user, password/);
    expect(ended.err.trim().split('\n')).toHaveLength(1);
  });

  test('that has no such database: nothing is written to another one', async () => {
    const prefix = `test-${randomUUID()}`;
    const store = `${redis.url}/99?prefix=${prefix}`;
    const ended = await runMain(await settings({ ANNALS_LEADERBOARD_STORE: store })).ended;
    expectRefused(
      ended,
      /^annals: cannot start: Redis refuses us: .* database .*\/99: ERR DB index is out of range\)$/,
    );
    expect(ended.err.trim().split('\n')).toHaveLength(1);
    expect(await keysUnder(redis, prefix)).toEqual([]);
    // One that it has is used, and no other.
    const there = await settings({ ANNALS_LEADERBOARD_STORE: `${redis.url}/15?prefix=${prefix}` });
    await (await openSite(siteConfigOf(configSchema.parse(there)))).close();
    expect(await keysUnder(redis, prefix)).toEqual([]);
    const remove = `redis.call('SELECT', 15) return redis.call('DEL', KEYS[1])`;
    expect(await tellRedis(redis, `EVAL "${remove}" 1 ${prefix}:site`)).toBe(':1');
  });

  test('that needs no password, and was given one: one line of ours says so', async () => {
    const store = `${redis.url.replace('://', '://:secret@')}?prefix=test-${randomUUID()}`;
    const env = await settings({ ANNALS_LEADERBOARD_STORE: store, ANNALS_ROLES: 'api' });
    const { child, ended, text } = runMain(env);
    await until('it has told it', () => /asks for no password/.test(text.out) || undefined);
    child.kill('SIGTERM');
    const { out, err } = await ended;
    expect(out.match(/asks for no password: leave out the one in its URL/g)).toHaveLength(1);
    expect(out + err).not.toMatch(/\[WARN\]|secret/);
  });

  test('that is no cluster, and is named as one', async () => {
    const store = redis.url.replace('redis://', 'redis-cluster://');
    const ended = await runMain(await settings({ ANNALS_LEADERBOARD_STORE: store })).ended;
    expectRefused(
      ended,
      /^annals: cannot start: Redis is no cluster: name it redis:\/\/ .*cluster support disabled/,
    );
  });

  test('where another site keeps its read models under the same prefix', async () => {
    const prefix = `test-${randomUUID()}`;
    const store = `${redis.url}?prefix=${prefix}`;
    const open = async (folder: string) =>
      openSite(
        siteConfigOf(configSchema.parse({ ANNALS_DATA: folder, ANNALS_LEADERBOARD_STORE: store })),
      );
    const first = await freshFolder();
    // All processes of one site are at home there, also later on.
    for (let process = 1; process <= 2; process += 1) await (await open(first)).close();
    expectRefused(
      await runMain(await settings({ ANNALS_LEADERBOARD_STORE: store })).ended,
      new RegExp(`^annals: cannot start: another site keeps its read models .*${prefix}:site\\)$`),
    );
    expect(await keysUnder(redis, prefix)).toEqual([`${prefix}:site`]);
    // As the message says, for a site that takes the place of one that is gone.
    await tellRedis(redis, `DEL ${prefix}:site`);
    await (await open(await freshFolder())).close();
    await tellRedis(redis, `DEL ${prefix}:site`);
  });

  describe('with keys of somebody else under our prefix', () => {
    const tenant = () => {
      const prefix = `test-${randomUUID()}`;
      return { prefix, store: `${redis.url}?prefix=${prefix}` };
    };

    test('a projector writes nothing, names the key, and ends', async () => {
      const { prefix, store } = tenant();
      await tellRedis(redis, `SET ${prefix}:sessions 1`);
      const env = await settings({ ANNALS_LEADERBOARD_STORE: store });
      await (
        await openLogAt(`sqlite:${env.ANNALS_DATA}`, { dataFolder: env.ANNALS_DATA })
      ).log.close();
      const ended = await runProjector(env).ended;
      expectRefused(
        ended,
        new RegExp(`^annals: there are keys of somebody else.*${prefix}:sessions`),
      );
      expect(await keysUnder(redis, prefix)).toEqual([`${prefix}:sessions`]);
      await tellRedis(redis, `DEL ${prefix}:sessions`);
    });

    test('where our marker would be: no start at all', async () => {
      const { prefix, store } = tenant();
      const marker = `${prefix}:{leaderboard:g1}:marker`;
      await tellRedis(redis, `SET ${marker} 1`);
      const ended = await runMain(await settings({ ANNALS_LEADERBOARD_STORE: store })).ended;
      expectRefused(
        ended,
        /^annals: cannot start: there are keys of somebody else under our prefix/,
      );
      await tellRedis(redis, `DEL ${marker}`);
    });
  });
});

await describeOn(
  'redis',
  'A start on a Redis that asks for a password',
  (redis) => {
    const withPassword = (password: string) => redis.url.replace('://', `://:${password}@`);
    const start = async (url: string) =>
      runMain(await settings({ ANNALS_LEADERBOARD_STORE: url })).ended;

    test('with none, or with another one', async () => {
      await tellRedis(redis, 'CONFIG SET requirepass right-one');
      for (const url of [redis.url, withPassword('secret')]) {
        const ended = await start(url);
        expectRefused(ended, /^annals: cannot start: Redis refuses us: check user, password/);
        expect(ended.err.trim().split('\n')).toHaveLength(1);
      }
      const env = await settings({ ANNALS_LEADERBOARD_STORE: withPassword('right-one') });
      await (await openSite(siteConfigOf(configSchema.parse(env)))).close();
    });
  },
  { label: 'password' },
);

await describeOn('redis-cluster', 'A start on a node of a Redis Cluster', ({ addresses }) => {
  test('that is named as a server by itself', async () => {
    const store = `redis://${addresses[0]}`;
    for (const url of [store, `${store}/3`]) {
      const ended = await runMain(await settings({ ANNALS_LEADERBOARD_STORE: url })).ended;
      expectRefused(
        ended,
        /^annals: cannot start: Redis is a node of a cluster: name it redis-cluster:\/\/ /,
      );
    }
  });
});

test('A start on a Redis that is nowhere says so, and no more', async () => {
  const env = await settings({ ANNALS_LEADERBOARD_STORE: 'redis://127.0.0.1:1' });
  expectRefused(
    await runMain(env).ended,
    /^annals: cannot start: Redis does not answer \(redis:\/\/127.0.0.1:1: .*ECONNREFUSED.*\)$/,
  );
});

await describeOn('eventstoredb', 'A start on an EventStoreDB without TLS', ({ addresses }) => {
  test('whose URL does not say so', async () => {
    const env = await settings({ ANNALS_LOG: `esdb://${addresses[0]}` });
    expectRefused(
      await runMain(env).ended,
      /^annals: cannot start: EventStoreDB at \S+ does not speak TLS.*: write \?tls=false in its URL$/,
    );
  });
});

await describeOn('kafka-sasl', 'A start on a Kafka that asks for a password', (kafka) => {
  test('with another one', async () => {
    const url = kafka.url.replace(':annals@', ':secret@').replace('?', `/test-${randomUUID()}?`);
    const ended = await runMain(await settings({ ANNALS_LOG: url })).ended;
    expectRefused(ended, /^annals: cannot start: Kafka at 127\.0\.0\.1:\d+: .*[Aa]uthentication/);
    expect(ended.err.trim().split('\n')).toHaveLength(1);
    const right = kafka.url.replace('?', `/test-${randomUUID()}?partitions=1&`);
    await (await openLogAt(right, { dataFolder: await freshFolder() })).log.close();
  });
});

await describeOn('eventstoredb-tls', 'A start on an EventStoreDB with users and TLS', ({ url }) => {
  const start = async (log: string) => runMain(await settings({ ANNALS_LOG: log })).ended;

  test('with another password', async () => {
    const ended = await start(url.replace(/:[^:@]+@/, ':secret@'));
    expectRefused(
      ended,
      /^annals: cannot start: EventStoreDB at \S+:\d+ refuses us: check user and password$/,
    );
    expect(ended.err.trim().split('\n')).toHaveLength(1);
  });

  test('whose certificate is of an authority that we were not told', async () => {
    const ended = await start(url.replace(/:[^:@]+@/, ':secret@').replace(/&tlsCAFile=.*$/, ''));
    expectRefused(ended, /^annals: cannot start: EventStoreDB at \S+ has a certificate .*trusted/);
    expect(ended.err.trim().split('\n')).toHaveLength(1);
  });

  test('with the right ones', async () => {
    const { log } = await openLogAt(`${url}&prefix=test-${randomUUID()}.`, {
      dataFolder: await freshFolder(),
    });
    expect(await log.head()).toEqual({});
    await log.close();
  });
});

test('A start on a Cassandra that refuses the password', async () => {
  const cassandra = await refusingCassandra();
  onTestFinished(() => cassandra.close());
  const url = `cassandra://ann:secret@127.0.0.1:${cassandra.port}/k?datacenter=d`;
  const ended = await runMain(await settings({ ANNALS_LEADERBOARD_STORE: url })).ended;
  expectRefused(ended, /^annals: cannot start: Cassandra refuses us: check user, password/);
  expect(ended.err.trim().split('\n')).toHaveLength(1);
  expect(cassandra.passwords()).toEqual(['ann secret']);
});

async function keysUnder(redis: Engine, prefix: string): Promise<string[]> {
  const reply = await tellRedis(redis, `KEYS ${prefix}:*`);
  return reply.split('\r\n').filter((line) => line.startsWith(prefix));
}

await describeOn('kafka', 'A start on a Kafka', (kafka) => {
  test('that asks for no user and password', async () => {
    const url = `${withUser(kafka.url)}/test-${randomUUID()}`;
    const ended = await runMain(await settings({ ANNALS_LOG: url })).ended;
    expectRefused(
      ended,
      /^annals: cannot start: Kafka at 127\.0\.0\.1:\d+: it asks for no user and password: leave/,
    );
    expect(ended.err.trim().split('\n')).toHaveLength(1);
  });

  test('whose topic is mistyped: a projector does not make it', async () => {
    const topic = `test-${randomUUID()}`;
    const env = await settings({ ANNALS_LOG: `${kafka.url}/${topic}?partitions=1` });
    for (let times = 1; times <= 2; times += 1) {
      const ended = await runProjector(env).ended;
      expectRefused(ended, new RegExp(`^annals: topic ${topic} is not there.* check its name`));
    }
    await (await openLogAt(env.ANNALS_LOG, { dataFolder: await freshFolder() })).log.close();
    const { child, ended, text } = runProjector(env);
    await until('it follows', () => text.out.includes('following the log in') || undefined);
    child.kill('SIGTERM');
    expect((await ended).out).toContain(`following the log in ${kafka.url}/${topic}?partitions=1`);
  });

  test('whose topic has other partitions than are configured: the fix is named', async () => {
    const topic = `${kafka.url}/test-${randomUUID()}`;
    const made = await openLogAt(`${topic}?partitions=2`, { dataFolder: await freshFolder() });
    await made.log.close();
    const ended = await runMain(await settings({ ANNALS_LOG: `${topic}?partitions=3` })).ended;
    expectRefused(
      ended,
      /^annals: cannot start: topic \S+ has 2 partitions, and 3 are configured\. To mend it: configure 2/,
    );
  });

  test('whose topic is not the one that the replica was read from', async () => {
    const topic = `${kafka.url}/test-${randomUUID()}?partitions=2`;
    const dataFolder = await freshFolder();
    const { log } = await openLogAt(topic, { dataFolder });
    const event = { id: randomUUID(), type: 'played', schemaVersion: 1, data: '{}' };
    const appended = { ...event, contentHash: 'a'.repeat(64), occurredAt: 1 };
    await log.append('plays-1', [appended], { expected: 'no-stream' });
    await log.close();
    const other = topic.replace('?', '-other?');
    const otherFolder = await freshFolder();
    await (await openLogAt(other, { dataFolder: otherFolder })).log.close();
    // The replica that was read from the first topic, under the name of the second one.
    const [from = ''] = await readdir(`${dataFolder}/replicas`);
    const [to = ''] = await readdir(`${otherFolder}/replicas`);
    await cp(`${dataFolder}/replicas/${from}`, `${otherFolder}/replicas/${to}`, {
      recursive: true,
    });
    const env = { ...(await settings({ ANNALS_LOG: other })), ANNALS_DATA: otherFolder };
    expectRefused(await runMain(env).ended, /^annals: cannot start: .*replica/);
  });
});
