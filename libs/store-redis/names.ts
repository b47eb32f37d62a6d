/**
 * The keys of a generation. Each shard has a hash tag of its own, so that all its keys lie in one slot
 * and one script can change them together. The tag holds a random instance: a generation that is made
 * again has other keys, and nothing that still writes to the former one can reach it.
 */

export const defaultPrefix = 'annals';

const prefixPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const projectionPattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const slots = 16_384;

export function checkedPrefix(prefix: string): string {
  if (prefixPattern.test(prefix)) return prefix;
  throw new TypeError(`a prefix has lower-case letters, digits, _ and -: ${prefix}`);
}

export function checkedProjection(projection: string): string {
  if (projectionPattern.test(projection)) return projection;
  throw new TypeError(`a projection is named by lower-case words joined by "-": ${projection}`);
}

export function generationName(projection: string, generation: number): string {
  if (!Number.isSafeInteger(generation) || generation < 1 || generation > 999_999_999) {
    throw new RangeError(`there is no generation ${generation}`);
  }
  return `${projection}:g${generation}`;
}

export function markerKey(prefix: string, projection: string, generation: number): string {
  return `${prefix}:{${generationName(projection, generation)}}:marker`;
}

/** The slot of a key whose hash tag is all of it: CRC16 (XMODEM) of what is between the braces. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag.slice(1, -1))) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return (crc & 0xffff) % slots;
}

/** What the keys of all shards of a generation begin with, whatever its instance. */
export function generationPattern(prefix: string, projection: string, generation: number): string {
  return `${prefix}:{${generationName(projection, generation)}:*`;
}

/** Says which site the keys under a prefix belong to. */
export function siteKey(prefix: string): string {
  return `${prefix}:site`;
}

/** Whether a key under the prefix has the form of those this package makes. */
export function isOurKey(prefix: string, key: string): boolean {
  const rest = key.slice(prefix.length + 1);
  if (key === siteKey(prefix)) return true;
  return /^\{[a-z][a-z0-9-]*:g\d+\}:marker$|^\{[a-z][a-z0-9-]*:g\d+:[0-9a-f]{12}:\d+\.\d+\}:/.test(
    rest,
  );
}

/** Beginnings of the shards' keys, with slots spread evenly over all there are. */
export function shardTags(
  prefix: string,
  generation: string,
  instance: string,
  shards: number,
): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let salt = 0; ; salt += 1) {
      const tag = `{${generation}:${instance}:${shard}.${salt}}`;
      if (Math.floor((slotOf(tag) * shards) / slots) === shard) return `${prefix}:${tag}:`;
    }
  });
}

/** The keys of one shard that are there whatever its rows. */
export interface ShardNames {
  readonly tag: string;
  readonly state: string;
  /** Where the places of groups are cut, in a generation whose orders are dealt by score. */
  readonly borders: string;
  /** Where a script that writes keeps what was there before, for each open snapshot. */
  readonly snapshots: readonly string[];
  undo(worker: number): string;
}

export function shardNames(tag: string, snapshotsMax: number): ShardNames {
  return {
    tag,
    state: `${tag}state`,
    borders: `${tag}borders`,
    snapshots: Array.from({ length: snapshotsMax }, (_, n) => `${tag}snapshot:${n + 1}`),
    undo: (worker) => `${tag}undo:${worker}`,
  };
}
