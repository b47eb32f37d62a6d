import { describe, expect, it } from 'vitest';
import { parseKeysUrl, parseStoreUrl } from './store-url.ts';

const all = ['sqlite', 'redis', 'cassandra'] as const;

describe('the URL of a store', () => {
  it('is a data folder', () => {
    const url = 'sqlite:/srv/annals';
    expect(parseStoreUrl(url, all)).toEqual({ kind: 'sqlite', url, folder: '/srv/annals' });
    expect(parseKeysUrl(url)).toEqual({ kind: 'sqlite', url, folder: '/srv/annals' });
  });

  it.each([
    ['redis://h:6379', 'redis://h:6379'],
    ['redis://ann:secret@h:6379/3?shards=8&prefix=games', 'redis://ann:secret@h:6379/3'],
    ['rediss://h?shards=2', 'rediss://h'],
    ['redis://h1:1,h2:2?cluster=true&shards=8', 'redis://h1:1,h2:2?cluster=true'],
    ['redis-cluster://h1:1,h2:2/?shards=8', 'redis://h1:1,h2:2?cluster=true'],
    ['rediss-cluster://h1:1', 'rediss://h1:1?cluster=true'],
  ])('%s is a Redis; its client is told %s', (url, connection) => {
    expect(parseStoreUrl(url, all)).toMatchObject({ kind: 'redis', url, connection });
  });

  it('tells shards, scheme and prefix', () => {
    const url = 'redis://h:6379?shards=8&scheme=range&prefix=games';
    expect(parseStoreUrl(url, all)).toMatchObject({
      connection: 'redis://h:6379',
      ...{ shards: 8, scheme: 'range', prefix: 'games' },
    });
  });

  it('is a keyspace of Cassandra; what is ours is not told to its client', () => {
    const connection = 'cassandra://ann:secret@h1:9042,h2:9042/games?datacenter=dc1&replicas=3';
    expect(
      parseStoreUrl(`${connection}&buckets=16&order-shards=4&compact=/opt/compact`, all),
    ).toMatchObject({
      kind: 'cassandra',
      ...{ connection, buckets: 16, orderShards: 4, compact: '/opt/compact' },
    });
    expect(parseKeysUrl(connection)).toMatchObject({ kind: 'cassandra', connection });
  });

  it.each([
    ['', 'is none of sqlite:FOLDER, redis://'],
    ['memcached://h:1', 'is none of sqlite:FOLDER, redis://'],
    ['redis://h1:1,h2:2', 'has several hosts, which only a cluster has'],
    ['redis://h:1/x', 'has a database that is no number'],
    ['redis-cluster://h:1/3', 'has a path, and a cluster has one database'],
    ['redis://h:1?shards=257', 'has shards=257, which is no number from 1 to 256'],
    ['redis://h:1?scheme=list', 'has scheme=list'],
    ['redis://h:1?prefix=A', 'has a prefix with other characters'],
    ['redis://h:1?ttl=3', 'knows no setting "ttl"'],
    ['cassandra://h:1/games', 'has no datacenter'],
    ['cassandra://h:1/Games?datacenter=dc1', 'has a keyspace with other characters'],
    ['cassandra://h:1/games?datacenter=dc1&buckets=0', 'has buckets=0'],
    ['cassandra://h:1/games?datacenter=dc1&compact=x', 'has a compact that is no absolute path'],
  ])('%s is refused', (url, problem) => {
    const parsed = parseStoreUrl(url, all);
    expect(parsed).toMatchObject({ kind: 'bad-url' });
    expect(parsed).toHaveProperty('problem', expect.stringContaining(problem));
  });

  it('is of a kind that the product can be read from', () => {
    expect(parseStoreUrl('cassandra://h:1/k?datacenter=d', ['sqlite', 'redis'])).toEqual({
      kind: 'bad-url',
      problem: 'is none of sqlite:FOLDER, redis://host:port[/db]',
    });
    expect(parseKeysUrl('redis://h:1')).toMatchObject({ kind: 'bad-url' });
  });
});
