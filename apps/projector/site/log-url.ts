import {
  type BadUrl,
  badUrl,
  countIn,
  isBad,
  numbersIn,
  sqliteFolder,
  urlParts,
  wordIn,
} from '@annals/core/url-parts';

/** Where a log is. Plain data: it crosses to the projector's thread. */
export type LogPlace = SqliteLogPlace | KafkaLogPlace | EventStoreDBLogPlace;

export interface SqliteLogPlace {
  readonly kind: 'sqlite';
  readonly url: string;
  /** A data folder: the log is in `log` below it. */
  readonly folder: string;
}

export interface KafkaLogPlace {
  readonly kind: 'kafka';
  readonly url: string;
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly tls: boolean;
  readonly login:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  readonly partitions: number | undefined;
  readonly replicationFactor: number | undefined;
  readonly minInSyncReplicas: number | undefined;
  readonly compression: 'none' | 'gzip' | undefined;
  /** Of how many records of each partition a replica keeps bodies; all when it is undefined. */
  readonly bodies: number | undefined;
  /** The partitions that this process follows, ascending; all when it is undefined. */
  readonly served: readonly number[] | undefined;
  /** Undefined: from the replica as it is. */
  readonly reads: 'replica' | 'linearizable' | undefined;
  /** The record format that is written; the newest of this program when it is undefined. */
  readonly format: number | undefined;
}

export interface EventStoreDBLogPlace {
  readonly kind: 'esdb';
  readonly url: string;
  /** As the client takes it: without what is ours. */
  readonly connection: string;
  readonly prefix: string;
}

export const logUrlForms =
  'sqlite:FOLDER, kafka://host:port,…/topic or esdb://host:port?tls=false' as const;

/** A URL of a log: `logUrlForms`. Opens nothing. */
export function parseLogUrl(url: string): LogPlace | BadUrl {
  const folder = sqliteFolder(url);
  if (isBad(folder)) return folder;
  if (folder !== undefined) return { kind: 'sqlite', url, folder };
  if (/^kafka:\/\//.test(url)) return kafkaPlace(url);
  if (/^esdb(?:\+discover)?:\/\//.test(url)) return esdbPlace(url);
  return badUrl(`is none of ${logUrlForms}`);
}

const topicPattern = /^[a-zA-Z0-9._-]{1,249}$/;
const topicDefault = 'annals';
const portDefault = 9_092;
const partitionsMax = 10_000;
const replicasMax = 100;
const bodiesMax = 1_000_000_000;
/** One byte of a record. */
const formatMax = 255;
const kafkaSettings = [
  ...[
    'partitions',
    'replicas',
    'min-in-sync',
    'compression',
    'bodies',
    'served',
    'reads',
    'format',
  ],
  ...['tls', 'sasl'],
];

function kafkaPlace(url: string): KafkaLogPlace | BadUrl {
  const parts = urlParts(url, kafkaSettings);
  if (isBad(parts)) return parts;
  const topic = parts.path || topicDefault;
  if (!topicPattern.test(topic)) {
    return badUrl('has a topic with other characters than letters, digits, ".", "_" and "-"');
  }
  const partitions = countIn(parts, 'partitions', partitionsMax);
  if (isBad(partitions)) return partitions;
  const replicationFactor = countIn(parts, 'replicas', replicasMax);
  if (isBad(replicationFactor)) return replicationFactor;
  const minInSyncReplicas = countIn(parts, 'min-in-sync', replicasMax);
  if (isBad(minInSyncReplicas)) return minInSyncReplicas;
  const compression = wordIn(parts, 'compression', ['none', 'gzip']);
  if (isBad(compression)) return compression;
  const bodies = countIn(parts, 'bodies', bodiesMax);
  if (isBad(bodies)) return bodies;
  const served = numbersIn(parts, 'served', (partitions ?? partitionsMax) - 1);
  if (isBad(served)) return served;
  const reads = wordIn(parts, 'reads', ['replica', 'linearizable']);
  if (isBad(reads)) return reads;
  const format = countIn(parts, 'format', formatMax);
  if (isBad(format)) return format;
  const tls = wordIn(parts, 'tls', ['true', 'false']);
  if (isBad(tls)) return tls;
  const mechanism = wordIn(parts, 'sasl', ['plain', 'scram-sha-256', 'scram-sha-512']);
  if (isBad(mechanism)) return mechanism;
  const { user: username, password, hosts } = parts;
  // The client takes none by itself.
  const brokers = hosts.map((host) => (/:\d+$/.test(host) ? host : `${host}:${portDefault}`));
  if (mechanism !== undefined && !username) return badUrl('has sasl, and no user and password');
  if (username && !password) return badUrl('has a user without a password');
  return {
    ...{ kind: 'kafka', url, brokers, topic, partitions, replicationFactor, minInSyncReplicas },
    ...{ compression, bodies, served, reads, format, tls: tls === 'true' },
    login:
      username && password ? { mechanism: mechanism ?? 'plain', username, password } : undefined,
  };
}

/** Settings of the client, as its parseConnectionString.js has them. */
const esdbClientSettings = [
  ...['tls', 'tlsCAFile', 'userCertFile', 'userKeyFile', 'connectionName', 'nodePreference'],
  ...['maxDiscoverAttempts', 'discoveryInterval', 'gossipTimeout', 'defaultDeadline'],
  ...['keepAliveInterval', 'keepAliveTimeout', 'throwOnAppendFailure'],
];
/** What the server writes for itself begins with "$". */
const streamPrefixPattern = /^[a-zA-Z0-9][a-zA-Z0-9._:~-]{0,63}$/;

function esdbPlace(url: string): EventStoreDBLogPlace | BadUrl {
  const parts = urlParts(url, ['prefix', ...esdbClientSettings]);
  if (isBad(parts)) return parts;
  const { settings, user, password, path } = parts;
  if (path !== '')
    return badUrl('has a path, and an EventStoreDB has none: prefix sets logs apart');
  if (user !== undefined && !password) return badUrl('has a user without a password');
  const tls = wordIn(parts, 'tls', ['true', 'false']);
  if (isBad(tls)) return tls;
  const tells = wordIn(parts, 'throwOnAppendFailure', ['true', 'false']);
  if (isBad(tells)) return tells;
  if (tells === 'false') {
    return badUrl('has throwOnAppendFailure=false, with which wrong results are told');
  }
  const prefix = settings.get('prefix');
  if (prefix !== undefined && !streamPrefixPattern.test(prefix)) {
    return badUrl(
      'has a prefix that is not a letter or digit and up to 63 more of those and ".", "_", ":", "~", "-"',
    );
  }
  const rest = [...settings]
    .filter(([name]) => name !== 'prefix')
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const [address = ''] = url.split('?');
  const connection = rest.length > 0 ? `${address}?${rest.join('&')}` : address;
  return { kind: 'esdb', url, connection, prefix: prefix ?? '' };
}
