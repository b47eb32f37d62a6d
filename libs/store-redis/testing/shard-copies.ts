import type { RedisConnection } from '../connection.ts';
import { scannedKeys } from '../marker.ts';
import { listOf, textOf } from '../replies.ts';

/** All keys that begin so. */
export async function keysUnder(connection: RedisConnection, beginning: string): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for (const node of await connection.masters()) {
    for await (const keys of scannedKeys(node, `${beginning}*`)) all.push(...keys);
  }
  return all;
}

/** Copies the keys that begin so; what is given back puts the copy back, as a failover does that lost writes. */
export async function copyOf(
  connection: RedisConnection,
  beginning: string,
): Promise<() => Promise<void>> {
  const copy = new Map<Buffer, Buffer>();
  for (const key of await keysUnder(connection, beginning)) {
    const dumped = await connection.call('DUMP', key);
    if (dumped instanceof Buffer) copy.set(key, dumped);
  }
  return async () => {
    for (const key of await keysUnder(connection, beginning)) await connection.call('UNLINK', key);
    for (const [key, dumped] of copy) await connection.call('RESTORE', key, 0, dumped);
  };
}

/** All that is in the keys that begin so, as text. */
export async function contentUnder(
  connection: RedisConnection,
  beginning: string,
): Promise<string[]> {
  const found: string[] = [];
  for (const key of await keysUnder(connection, beginning)) {
    const type = textOf(await connection.call('TYPE', key));
    const range = type === 'hash' ? undefined : ['0', '-1'];
    const command = { hash: 'HGETALL', list: 'LRANGE', zset: 'ZRANGE' }[type] ?? 'GET';
    const content = await connection.call(command, key, ...(range ?? []));
    found.push(`${key} ${listOf(content).map(textOf).join(' ')}`);
  }
  return found.sort();
}
