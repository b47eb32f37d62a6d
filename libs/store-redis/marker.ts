import { randomBytes } from 'node:crypto';
import type { GenerationSpec } from '@annals/projection';
import { type Argument, luaScript, type RedisConnection, type RedisNode } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import {
  generationName,
  generationPattern,
  isOurKey,
  markerKey,
  shardNames,
  shardTags,
} from './names.ts';
import { fieldsOf, listOf, textOf, wordOf } from './replies.ts';

/**
 * How places in orders are dealt to shards: with their rows, or by ranges of scores. Rows lie where a hash
 * of their key says in either.
 */
export type Scheme = 'hash' | 'range';

/**
 * Each scheme has a format of its own, so that a program that does not know it finds no generation. Raised when
 * a program of before could not read the keys. A generation of another format is rebuilt.
 */
const formats: { readonly [scheme in Scheme]: string } = { hash: '1', range: '2' };

/** The marker: without it there is no generation. `instance` tells two of one number apart. */
export interface Marker {
  readonly instance: string;
  readonly spec: GenerationSpec;
  /** What the keys of each shard begin with. */
  readonly tags: readonly string[];
  readonly scheme: Scheme;
}

const markScript = luaScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { redis.call('HGET', KEYS[1], 'instance') == ARGV[2] and 'created' or 'exists' }
end
redis.call('HSET', KEYS[1], 'format', ARGV[1], 'instance', ARGV[2], 'spec', ARGV[3], 'tags', ARGV[4])
return { 'created' }
`);

/**
 * Makes a generation as a whole: its shards first, under names nobody knows, then the marker that names
 * them, so that nobody ever opens half of one, and of two who make it one wins.
 */
export async function createGeneration(
  connection: RedisConnection,
  prefix: string,
  spec: GenerationSpec,
  { shards, scheme }: { readonly shards: number; readonly scheme: Scheme },
): Promise<'created' | 'exists'> {
  const marker = markerKey(prefix, spec.projection, spec.generation);
  if ((await connection.call('EXISTS', marker)) === 1) {
    await readMarker(connection, prefix, spec.projection, spec.generation);
    return 'exists';
  }
  await refuseForeignKeys(connection, prefix);
  const instance = randomBytes(6).toString('hex');
  const name = generationName(spec.projection, spec.generation);
  const tags = shardTags(prefix, name, instance, shards);
  // Orders whose places are dealt by score are made at the end, when it is known how the scores lie.
  const building = scheme === 'range' && shards > 1 ? '1' : '4';
  const state: Argument[] = ['instance', instance, 'building', building];
  for (let worker = 0; worker < spec.workers; worker += 1) {
    state.push(`epoch:${worker}`, '0', `at:${worker}`, '', `until:${worker}`, '0');
  }
  await Promise.all(tags.map((tag) => connection.call('HSET', stateOf(tag), ...state)));
  const args = [formats[scheme], instance, JSON.stringify(spec), JSON.stringify(tags)];
  const made = wordOf(await connection.run(markScript, [marker], args));
  if (made === 'created') return 'created';
  await Promise.all(tags.map((tag) => connection.call('UNLINK', stateOf(tag))));
  return 'exists';
}

function stateOf(tag: string): string {
  return shardNames(tag, limits.snapshotsMax).state;
}

/** The marker of a generation, or undefined when there is none (or one of another format). */
export async function readMarker(
  connection: RedisConnection,
  prefix: string,
  projection: string,
  generation: number,
): Promise<Marker | undefined> {
  const key = markerKey(prefix, projection, generation);
  const fields = fieldsOf(await connection.call('HGETALL', key));
  if (fields.size === 0) return undefined;
  const [instance, spec, tags] = ['instance', 'spec', 'tags'].map((name) => fields.get(name));
  if (!instance || !spec || !tags) throw storeError('foreign-keys', `${connection.place}: ${key}`);
  const format = fields.get('format');
  const scheme = format === formats.range ? 'range' : 'hash';
  if (format !== formats[scheme]) return undefined;
  return { instance, spec: JSON.parse(spec), tags: JSON.parse(tags), scheme };
}

/** Makes a generation lost for good: what it holds can no longer be brought to one checkpoint. */
export async function removeMarker(
  connection: RedisConnection,
  prefix: string,
  spec: GenerationSpec,
): Promise<void> {
  await connection.call('UNLINK', markerKey(prefix, spec.projection, spec.generation));
}

/**
 * Removes all keys of a generation, of whatever instance: the marker first, so that it is lost from then
 * on; then the states of the shards, so that nothing more is written; then the rest, in small steps.
 */
export async function dropGeneration(
  connection: RedisConnection,
  prefix: string,
  projection: string,
  generation: number,
): Promise<void> {
  await connection.call('UNLINK', markerKey(prefix, projection, generation));
  const pattern = generationPattern(prefix, projection, generation);
  for (const match of [`${pattern}state`, pattern]) {
    for (const node of await connection.masters()) {
      for await (const keys of scannedKeys(node, match)) await unlink(connection, keys);
    }
  }
}

/** Keys of one slot at a time: a cluster takes no others in one command. */
async function unlink(connection: RedisConnection, keys: readonly Buffer[]): Promise<void> {
  const byTag = new Map<string, Buffer[]>();
  for (const key of keys) {
    const tag = key.toString('latin1', 0, key.indexOf('}'));
    const same = byTag.get(tag);
    if (same) same.push(key);
    else byTag.set(tag, [key]);
  }
  for (const same of byTag.values()) {
    for (let first = 0; first < same.length; first += limits.unlinkKeysMax) {
      const [one, ...more] = same.slice(first, first + limits.unlinkKeysMax) as [Buffer];
      await connection.call('UNLINK', one, ...more);
    }
  }
}

/** The keys of a node that match, in pages; some may come twice. Never blocks the server for long. */
export async function* scannedKeys(node: RedisNode, match: string): AsyncIterable<Buffer[]> {
  let cursor = '0';
  do {
    const page = listOf(await node.call('SCAN', cursor, 'MATCH', match, 'COUNT', limits.scanCount));
    cursor = textOf(page[0] ?? null);
    const keys = listOf(page[1] ?? null) as readonly Buffer[];
    if (keys.length > 0) yield [...keys];
  } while (cursor !== '0');
}

/** Throws when somebody else has keys under our prefix: what we drop or count might be theirs. */
export async function refuseForeignKeys(
  connection: RedisConnection,
  prefix: string,
): Promise<void> {
  for (const node of await connection.masters()) {
    for await (const keys of scannedKeys(node, `${prefix}:*`)) {
      const stranger = keys.map(String).find((key) => !isOurKey(prefix, key));
      if (stranger !== undefined) {
        throw storeError('foreign-keys', `${connection.place}: ${JSON.stringify(stranger)}`);
      }
    }
  }
}

/**
 * Throws when a server may drop keys of ours as its memory fills up. The `volatile` policies drop only
 * keys that expire, and none of ours does.
 */
export async function refuseEviction(connection: RedisConnection): Promise<void> {
  for (const node of await connection.masters()) {
    const info = textOf(await node.call('INFO', 'memory'));
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
    if (policy === 'noeviction' || policy.startsWith('volatile-')) continue;
    throw storeError('evicts', `${connection.place}: maxmemory-policy ${policy}`);
  }
}
