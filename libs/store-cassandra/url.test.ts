import { expect, test } from 'vitest';
import { parseCassandraUrl } from './url.ts';

test('a url names nodes, keyspace and data center; the rest has defaults', () => {
  expect(parseCassandraUrl('cassandra://one:9042,two:9042/games?datacenter=dc1')).toEqual({
    contactPoints: ['one:9042', 'two:9042'],
    keyspace: 'games',
    datacenter: 'dc1',
    replicas: 3,
    consistency: 'local-quorum',
    serial: 'local-serial',
    tls: false,
    credentials: undefined,
  });
});

test('a url may name user, password, TLS and consistency', () => {
  const url =
    'cassandras://ann:p%40ss@one:9042?datacenter=dc1&consistency=each-quorum&serial=serial&replicas=1';
  expect(parseCassandraUrl(url)).toMatchObject({
    keyspace: 'annals',
    tls: true,
    replicas: 1,
    consistency: 'each-quorum',
    serial: 'serial',
    credentials: { username: 'ann', password: 'p@ss' },
  });
});

test.each([
  ['', 'no such url'],
  ['redis://one:9042?datacenter=dc1', 'no such url'],
  ['cassandra://one:9042', 'datacenter is missing'],
  ['cassandra://one:9042/Games?datacenter=dc1', 'no such url'],
  ['cassandra://one:9042?datacenter=dc1&replica=1', 'it knows no replica'],
  ['cassandra://one:9042?datacenter=dc1&replicas=0', 'replicas is a number'],
  ['cassandra://one:9042?datacenter=dc1&consistency=most', 'consistency is one of'],
  ['cassandra://one:9042?datacenter=dc1&serial=quorum', 'serial is'],
  ['cassandra://ann:secret@one/bad-name?datacenter=dc1', 'no such url'],
])('%j is refused, and its password is not repeated', (url, detail) => {
  const thrown = (() => {
    try {
      return parseCassandraUrl(url);
    } catch (error) {
      return error;
    }
  })();
  expect(thrown).toMatchObject({ name: 'CassandraStoreError', code: 'bad-url' });
  expect(String(thrown)).toContain(detail);
  expect(String(thrown)).not.toContain('secret');
});
