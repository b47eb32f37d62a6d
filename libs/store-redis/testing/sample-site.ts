import { randomBytes } from 'node:crypto';
import type { Clock } from '@annals/core';
import type { ProjectionSite } from '@annals/projection/contract';
import { connectRedis, type RedisConnection } from '../connection.ts';
import { dropGeneration, readMarker, type Scheme } from '../marker.ts';
import { redisProjectionStore } from '../redis-projection-store.ts';
import { Shards } from '../shards.ts';
import { rangeRowsMin } from './opened.ts';
import { copyOf, keysUnder } from './shard-copies.ts';

/** A place of its own on a server that several tests share: a prefix nobody else has. */
export function sampleSite(
  url: string,
  shards: number,
  clock: Clock,
  scheme: Scheme = 'hash',
): ProjectionSite {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const layout = { shards, scheme, rangeRowsMin };
  const connection = connectRedis(url);
  return {
    open: async () => redisProjectionStore({ url, projection: 'sample', clock, prefix, ...layout }),
    countAbove: (...query) => countAbove(connection, prefix, ...query),
    backup: () => copyOf(connection, `${prefix}:`),
    lose: (generation) => dropGeneration(connection, prefix, 'sample', generation),
    remains: async (generation) => {
      const keys = await keysUnder(connection, `${prefix}:{sample:g${generation}`);
      return keys.map(String);
    },
    childProcess: {
      module: new URL('./open-store.ts', import.meta.url).href,
      argument: JSON.stringify({ url, prefix, ...layout }),
    },
    dispose: async () => {
      for (const key of await keysUnder(connection, `${prefix}:`)) {
        await connection.call('UNLINK', key);
      }
      connection.close();
    },
  };
}

async function countAbove(
  connection: RedisConnection,
  prefix: string,
  ...[generation, table, group, score]: Parameters<ProjectionSite['countAbove']>
): Promise<number> {
  const marker = await readMarker(connection, prefix, 'sample', generation);
  if (!marker) throw new Error(`g${generation} is lost`);
  const shards = new Shards(connection, marker);
  const order = shards.layout(table).orders[0];
  if (!order) throw new TypeError(`${table} has no order`);
  const counts = await Promise.all(
    shards.names.map(({ tag }) =>
      connection.call('ZCOUNT', tag + order.keyOfGroup(group), '-inf', `(${order.ranked(score)}`),
    ),
  );
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}
