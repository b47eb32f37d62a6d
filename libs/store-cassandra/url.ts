import { storeError } from './errors.ts';

export type Consistency = 'local-quorum' | 'local-one' | 'quorum' | 'each-quorum' | 'all' | 'one';
const consistencies: readonly string[] = [
  'local-quorum',
  'local-one',
  'quorum',
  'each-quorum',
  'all',
  'one',
];

/** Where and how to reach Cassandra, as the url says. */
export interface CassandraPlace {
  readonly contactPoints: readonly string[];
  readonly datacenter: string;
  readonly keyspace: string;
  /** Copies of every row in each data center, where we make the keyspace. */
  readonly replicas: number;
  readonly consistency: Consistency;
  /** Compare-and-set among the nodes of one data center, or of all. */
  readonly serial: 'local-serial' | 'serial';
  readonly tls: boolean;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

const form =
  /^(cassandra|cassandras):\/\/(?:([^:@/]+):([^@/]*)@)?([^/?@]+)(?:\/([a-z][a-z0-9_]{0,47}))?(?:\?(.*))?$/;
const known: readonly string[] = ['datacenter', 'replicas', 'consistency', 'serial'];

/**
 * `cassandra://[user:password@]host:port[,host:port]/keyspace?datacenter=…`; `cassandras` for TLS.
 * Further settings: `replicas` (3 unless told; only used to make the keyspace), `consistency`
 * (`local-quorum`) and `serial` (`local-serial`). Throws CassandraStoreError `bad-url`, without the password.
 */
export function parseCassandraUrl(url: string): CassandraPlace {
  const match = form.exec(url);
  if (!match) throw storeError('bad-url', 'no such url');
  const [, scheme, user, password = '', hosts = '', keyspace = 'annals', query] = match;
  const settings = new URLSearchParams(query ?? '');
  const unknown = [...settings.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw storeError('bad-url', `it knows no ${unknown}`);
  const datacenter = settings.get('datacenter');
  if (!datacenter) throw storeError('bad-url', 'datacenter is missing');
  const replicas = Number(settings.get('replicas') ?? 3);
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > 20) {
    throw storeError('bad-url', 'replicas is a number from 1 to 20');
  }
  const consistency = settings.get('consistency') ?? 'local-quorum';
  if (!consistencies.includes(consistency)) {
    throw storeError('bad-url', `consistency is one of ${consistencies.join(', ')}`);
  }
  const serial = settings.get('serial') ?? 'local-serial';
  if (serial !== 'local-serial' && serial !== 'serial') {
    throw storeError('bad-url', 'serial is local-serial or serial');
  }
  return {
    contactPoints: hosts.split(','),
    datacenter,
    keyspace,
    replicas,
    consistency: consistency as Consistency,
    serial,
    tls: scheme === 'cassandras',
    credentials:
      user === undefined
        ? undefined
        : { username: decodeURIComponent(user), password: decodeURIComponent(password) },
  };
}
