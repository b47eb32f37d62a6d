import { configFrom } from '@annals/core';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkSiteSettings, shownSite, siteConfigOf, siteFields } from './site-config.ts';

const schema = z.object(siteFields).superRefine(checkSiteSettings);
const read = (env: { readonly [name: string]: string }) => configFrom(schema, env);

function site(env: { readonly [name: string]: string }) {
  const configured = read(env);
  if (configured.kind === 'invalid') throw new Error(configured.problems.join());
  return siteConfigOf(configured.value);
}

const masterKey = 'ab'.repeat(32);

describe('where a site is', () => {
  it('all in ./data, unless told', () => {
    expect(read({})).toEqual({ kind: 'configured', value: { ANNALS_DATA: './data' } });
    expect(site({})).toMatchObject({
      dataFolder: './data',
      log: { kind: 'sqlite', folder: './data' },
      ...{ logs: {}, stores: {}, archives: {} },
      keys: { kind: 'sqlite', folder: './data' },
    });
    expect(shownSite(site({}))).toEqual([]);
  });

  it('each part where its URL says', () => {
    const config = site({
      ANNALS_LOG: 'kafka://k:9092/annals',
      ANNALS_LEADERBOARD_LOG: 'esdb://e:2113?tls=false',
      ANNALS_LEADERBOARD_STORE: 'redis://r:6379?shards=8',
      ANNALS_KEYS: 'cassandra://c:9042/keys?datacenter=dc1',
      ANNALS_MASTER_KEY: masterKey,
    });
    expect(config).toMatchObject({
      log: { kind: 'kafka' },
      logs: { leaderboard: { kind: 'esdb' } },
      stores: { leaderboard: { kind: 'redis', shards: 8 } },
      keys: { kind: 'cassandra' },
      masterKey,
    });
    // A thread gets all of it.
    expect(structuredClone(config)).toEqual(config);
  });

  it('what is shown of it holds neither passwords nor the master key', () => {
    const shown = shownSite(
      site({
        ANNALS_LOG: 'kafka://ann:secret@k:9092/annals',
        ANNALS_LEADERBOARD_STORE: 'redis://:secret@r:6379',
        ANNALS_LEADERBOARD_ARCHIVE: 'cassandra://ann:secret@c/archive?datacenter=dc1',
        ANNALS_KEYS: 'cassandra://ann:secret@c/keys?datacenter=dc1',
        ANNALS_MASTER_KEY: masterKey,
      }),
    );
    expect(shown).toEqual([
      ['log', 'kafka://ann:***@k:9092/annals'],
      ['read models of leaderboard', 'redis://:***@r:6379'],
      ['archive of leaderboard', 'cassandra://ann:***@c/archive?datacenter=dc1'],
      ['keys', 'cassandra://ann:***@c/keys?datacenter=dc1'],
    ]);
  });

  it('a key of digests is not shown, but the key that verifies what it signed', () => {
    const { digests, ...rest } = site({ ANNALS_DIGEST_KEY: masterKey });
    expect(digests).toEqual({ key: masterKey, everyEvents: 1_000 });
    expect(shownSite({ ...rest, ...(digests ? { digests } : {}) })).toEqual([
      ['digests signed with', expect.stringMatching(/^(?!abab)[0-9a-f]{64}$/)],
    ]);
    expect(read({ ANNALS_DIGEST_KEY: 'ab', ANNALS_DIGEST_EVERY_EVENTS: '0' })).toEqual({
      kind: 'invalid',
      problems: [
        expect.stringMatching(/^ANNALS_DIGEST_KEY: must be 64 hex digits/),
        expect.stringMatching(/^ANNALS_DIGEST_EVERY_EVENTS: must be a whole number, 1 to 1000/),
      ],
    });
  });

  it('keys in Cassandra need a master key that every process is told', () => {
    expect(read({ ANNALS_KEYS: 'cassandra://c/keys?datacenter=dc1' })).toEqual({
      kind: 'invalid',
      problems: [expect.stringMatching(/^ANNALS_MASTER_KEY: must be set where ANNALS_KEYS is in/)],
    });
  });

  it('an archive is in SQLite or Cassandra', () => {
    expect(read({ ANNALS_LEADERBOARD_ARCHIVE: 'redis://h:6379' })).toMatchObject({
      problems: [
        expect.stringMatching(/^ANNALS_LEADERBOARD_ARCHIVE: is none of sqlite:FOLDER, cass/),
      ],
    });
  });

  it('a problem names its setting and holds no password', () => {
    expect(read({ ANNALS_LEADERBOARD_STORE: 'redis://ann:secret@h:0' })).toEqual({
      kind: 'invalid',
      problems: ['ANNALS_LEADERBOARD_STORE: has no host and port in "h:0"'],
    });
  });

  const urlSettings = Object.keys(siteFields).filter((name) =>
    /_(?:LOG|STORE|ARCHIVE|KEYS)$/.test(name),
  );
  const schemes = [
    'kafka',
    'esdb',
    'esdb+discover',
    ...['redis', 'rediss', 'redis-cluster', 'rediss-cluster', 'cassandra', 'cassandras'],
  ];

  it.each(urlSettings)('%s never tells a password that must be percent-encoded', (name) => {
    expect(urlSettings.length).toBeGreaterThan(4);
    let named = 0;
    for (const scheme of schemes) {
      for (const mark of ['/', '?', '#', '@', ':']) {
        for (const password of [`zq${mark}xj`, `12${mark}zqxj`, `zq${mark}xj?x=1`]) {
          const url = `${scheme}://ann:${password}@h:9092/t?datacenter=dc1`;
          const { problems } = read({ [name]: url }) as { problems: readonly string[] };
          const told = problems.join();
          expect(told, url).toMatch(new RegExp(`^${name}: (?:is none of|has an "@" .*%2F, %3F)`));
          expect(told, url).not.toMatch(/zq|xj/);
          if (told.includes('%2F')) named += 1;
        }
      }
    }
    expect(named).toBeGreaterThan(0);
  });

  it('a password that is percent-encoded is taken', () => {
    const taken = site({ ANNALS_LOG: 'kafka://ann:%2F%3F%23%40%3A@h:9092/t' });
    expect(taken.log).toMatchObject({ login: { username: 'ann', password: '/?#@:' } });
  });
});
