import { randomBytes } from 'node:crypto';
import type { Clock } from '@annals/core';
import type { ProjectionSite } from '@annals/projection/contract';
import { connectRedis, type RedisConnection } from '../connection.ts';
import { dropGeneration, readMarker, scannedKeys } from '../marker.ts';
import { redisProjectionStore } from '../redis-projection-store.ts';
import { listOf, textOf } from '../replies.ts';
import { Shards } from '../shards.ts';

/** A place of its own on a server that several tests share: a prefix nobody else has. */
export function sampleSite(url: string, shards: number, clock: Clock): ProjectionSite {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const connection = connectRedis(url);
  return {
    open: async () => redisProjectionStore({ url, projection: 'sample', clock, prefix, shards }),
    countAbove: (...query) => countAbove(connection, prefix, ...query),
    backup: async () => {
      const copy = await dumpAll(connection, prefix);
      return () => restoreAll(connection, prefix, copy);
    },
    lose: (generation) => dropGeneration(connection, prefix, 'sample', generation),
    remains: async (generation) => {
      const keys = await keysOf(connection, `${prefix}:{sample:g${generation}*`);
      return keys.map(String);
    },
    childProcess: {
      module: new URL('./open-store.ts', import.meta.url).href,
      argument: JSON.stringify({ url, prefix, shards }),
    },
    dispose: async () => {
      for (const key of await keysOf(connection, `${prefix}:*`)) {
        await connection.call('UNLINK', key);
      }
      connection.close();
    },
  };
}

async function keysOf(connection: RedisConnection, match: string): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for (const node of await connection.masters()) {
    for await (const keys of scannedKeys(node, match)) all.push(...keys);
  }
  return all;
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

async function dumpAll(connection: RedisConnection, prefix: string): Promise<Map<Buffer, Buffer>> {
  const copy = new Map<Buffer, Buffer>();
  for (const key of await keysOf(connection, `${prefix}:*`)) {
    const dumped = await connection.call('DUMP', key);
    if (dumped instanceof Buffer) copy.set(key, dumped);
  }
  return copy;
}

async function restoreAll(
  connection: RedisConnection,
  prefix: string,
  copy: ReadonlyMap<Buffer, Buffer>,
): Promise<void> {
  for (const key of await keysOf(connection, `${prefix}:*`)) await connection.call('UNLINK', key);
  for (const [key, dumped] of copy) await connection.call('RESTORE', key, 0, dumped);
}

/** Every key of a generation with its whole content, for comparing. */
export async function contentOf(connection: RedisConnection, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for (const key of await keysOf(connection, `${prefix}:*`)) {
    const type = textOf(await connection.call('TYPE', key));
    if (type === 'hash') {
      const fields = listOf(await connection.call('HGETALL', key));
      found.push(`${key.toString('latin1')} ${fields.map(textOf).join(' ')}`);
    }
  }
  return found.sort();
}
