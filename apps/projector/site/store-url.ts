import {
  type BadUrl,
  badUrl,
  countIn,
  isBad,
  sqliteFolder,
  urlParts,
  wordIn,
} from '@annals/core/url-parts';

/** Where the read models of a product are. Plain data: it crosses to the projector's thread. */
export type StorePlace = SqliteStorePlace | RedisStorePlace | CassandraStorePlace;

export interface SqliteStorePlace {
  readonly kind: 'sqlite';
  readonly url: string;
  /** A data folder: the read models are in `projections` below it. */
  readonly folder: string;
}

export interface RedisStorePlace {
  readonly kind: 'redis';
  readonly url: string;
  /** As the store takes it: without what is ours. */
  readonly connection: string;
  readonly prefix: string | undefined;
  readonly shards: number | undefined;
  /** How the places of players are dealt to the shards: with their rows, or by score. */
  readonly scheme: 'hash' | 'range' | undefined;
}

export interface CassandraStorePlace {
  readonly kind: 'cassandra';
  readonly url: string;
  /** As the store takes it: without what is ours. */
  readonly connection: string;
  readonly buckets: number | undefined;
  readonly orderShards: number | undefined;
  /** A program that has all nodes compact the tables it is given: the last step of an erasure. */
  readonly compact: string | undefined;
}

export type StoreKind = StorePlace['kind'];

/** Where the keys of personal data are. */
export type KeysPlace =
  | SqliteStorePlace
  | { readonly kind: 'cassandra'; readonly url: string; readonly connection: string };

export const storeUrlForms: { readonly [kind in StoreKind]: string } = {
  sqlite: 'sqlite:FOLDER',
  redis: 'redis://host:port[/db]',
  cassandra: 'cassandra://host:port,…/keyspace?datacenter=…',
};

/** A URL of a store for read models, of one of the kinds that a product can be read from. Opens nothing. */
export function parseStoreUrl(url: string, kinds: readonly StoreKind[]): StorePlace | BadUrl {
  const place = anyStore(url);
  if (isBad(place)) return place;
  if (place && kinds.includes(place.kind)) return place;
  return badUrl(`is none of ${kinds.map((kind) => storeUrlForms[kind]).join(', ')}`);
}

/** A URL of a key store: SQLite or Cassandra. Opens nothing. */
export function parseKeysUrl(url: string): KeysPlace | BadUrl {
  const folder = sqliteFolder(url);
  if (isBad(folder)) return folder;
  if (folder !== undefined) return { kind: 'sqlite', url, folder };
  if (!/^cassandras?:\/\//.test(url)) {
    return badUrl(`is none of ${storeUrlForms.sqlite}, ${storeUrlForms.cassandra}`);
  }
  const parts = urlParts(url, cassandraSettings);
  return isBad(parts)
    ? parts
    : (cassandraProblem(parts) ?? { kind: 'cassandra', url, connection: url });
}

function anyStore(url: string): StorePlace | BadUrl | undefined {
  const folder = sqliteFolder(url);
  if (isBad(folder)) return folder;
  if (folder !== undefined) return { kind: 'sqlite', url, folder };
  if (/^(?:rediss?|redis-cluster|rediss-cluster):\/\//.test(url)) return redisPlace(url);
  if (/^cassandras?:\/\//.test(url)) return cassandraPlace(url);
  return undefined;
}

const shardsMax = 256;
const orderShardsMax = 256;
const bucketsMax = 4_096;
const databasePattern = /^\d{1,5}$/;
const prefixPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;

function redisPlace(url: string): RedisStorePlace | BadUrl {
  const parts = urlParts(url, ['cluster', 'prefix', 'shards', 'scheme']);
  if (isBad(parts)) return parts;
  const shards = countIn(parts, 'shards', shardsMax);
  if (isBad(shards)) return shards;
  const dealt = wordIn(parts, 'scheme', ['hash', 'range']);
  if (isBad(dealt)) return dealt;
  const cluster = wordIn(parts, 'cluster', ['true', 'false']);
  if (isBad(cluster)) return cluster;
  const { scheme, path, hosts, settings } = parts;
  const prefix = settings.get('prefix');
  if (prefix !== undefined && !prefixPattern.test(prefix)) {
    return badUrl(
      'has a prefix with other characters than lower-case letters, digits, "_" and "-"',
    );
  }
  const isCluster = cluster === 'true' || scheme.endsWith('-cluster');
  if (!isCluster && hosts.length > 1) {
    return badUrl('has several hosts, which only a cluster has: redis-cluster://host:port,…');
  }
  if (path !== '' && (isCluster || !databasePattern.test(path))) {
    return badUrl(
      isCluster ? 'has a path, and a cluster has one database' : 'has a database that is no number',
    );
  }
  const connection = url
    .replace(/^(rediss?)-cluster:/, '$1:')
    .replace(/\/?(?:\?.*)?$/s, isCluster ? '?cluster=true' : '');
  return { kind: 'redis', url, connection, prefix, shards, scheme: dealt };
}

const cassandraSettings = ['datacenter', 'replicas', 'consistency', 'serial'] as const;

const ownCassandraSettings: readonly string[] = ['buckets', 'order-shards', 'compact'];

function cassandraPlace(url: string): CassandraStorePlace | BadUrl {
  const parts = urlParts(url, [...cassandraSettings, ...ownCassandraSettings]);
  if (isBad(parts)) return parts;
  const problem = cassandraProblem(parts);
  if (problem) return problem;
  const buckets = countIn(parts, 'buckets', bucketsMax);
  if (isBad(buckets)) return buckets;
  const orderShards = countIn(parts, 'order-shards', orderShardsMax);
  if (isBad(orderShards)) return orderShards;
  const compact = parts.settings.get('compact');
  if (compact !== undefined && !compact.startsWith('/')) {
    return badUrl('has a compact that is no absolute path of a program');
  }
  const settings = new URLSearchParams();
  for (const [name, value] of parts.settings) {
    if (!ownCassandraSettings.includes(name)) settings.set(name, value);
  }
  const connection = `${url.replace(/\?.*$/s, '')}?${settings}`;
  return { kind: 'cassandra', url, connection, buckets, orderShards, compact };
}

function cassandraProblem({
  settings,
  path,
}: {
  readonly settings: ReadonlyMap<string, string>;
  readonly path: string;
}): BadUrl | undefined {
  if (!settings.get('datacenter')) return badUrl('has no datacenter');
  if (path !== '' && !/^[a-z][a-z0-9_]{0,47}$/.test(path)) {
    return badUrl('has a keyspace with other characters than lower-case letters, digits and "_"');
  }
  return undefined;
}
