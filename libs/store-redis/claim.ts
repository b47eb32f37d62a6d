import {
  connectRedis,
  isPasswordNeedless,
  parseAddress,
  type RedisConnection,
} from './connection.ts';
import { storeError } from './errors.ts';
import { refuseForeignKeys } from './marker.ts';
import { checkedPrefix, defaultPrefix, siteKey } from './names.ts';
import { textOf } from './replies.ts';

export interface RedisClaim {
  readonly url: string;
  readonly prefix?: string;
  /** The name of the site, the same in all of its processes and for good. */
  readonly site: string;
  /** What is no error, and an operator should know. */
  readonly onReport?: ((level: 'warn', message: string) => void) | undefined;
}

/**
 * Says whose the keys under a prefix are, unless that is said already. Throws RedisStoreError (`another-site`)
 * where they are somebody else's: two sites number their generations alike, and would work on each other's.
 */
export async function claimRedisPrefix(claim: RedisClaim): Promise<void> {
  const { url, prefix, site, onReport } = claim;
  const connection = connectRedis(url);
  try {
    const own = checkedPrefix(prefix ?? defaultPrefix);
    const key = siteKey(own);
    let owner = await connection.call('GET', key);
    if (owner === null) {
      await refuseForeignKeys(connection, own);
      await connection.call('SET', key, site, 'NX');
      owner = await connection.call('GET', key);
    }
    if (textOf(owner) === site) {
      if (await hasNeedlessPassword(connection, url)) {
        onReport?.(
          'warn',
          `${connection.place} asks for no password: leave out the one in its URL`,
        );
      }
      return;
    }
    const whose = `${connection.place}: ${own}:* is of site ${textOf(owner)}, this is ${site}`;
    throw storeError('another-site', `${whose}; where this one takes its place, delete ${key}`);
  } finally {
    connection.close();
  }
}

async function hasNeedlessPassword(connection: RedisConnection, url: string): Promise<boolean> {
  const { username, password } = parseAddress(url).options;
  if (!password) return false;
  const who = username ? [username, password] : [password];
  const [first = '', ...rest] = who;
  return connection.call('AUTH', first, ...rest).then(() => false, isPasswordNeedless);
}
