import type { Lease } from '@annals/projection';
import { storeError } from './errors.ts';
import { acquireScript, bumpScript, raiseScript } from './lease-scripts.ts';
import { bringTogether } from './recovery.ts';
import { textOf, wordOf } from './replies.ts';
import type { Shards } from './shards.ts';

/** Rounds in which an epoch is made known to all shards, before somebody else is taken to have it. */
const raiseRoundsMax = 5;

/** An epoch as the first shard gave it. */
interface Given {
  readonly epoch: number;
  /** Whether it was raised by this call. */
  readonly isNew: boolean;
}

/** Takes or renews the lease in the first shard, and makes its epoch the highest in all of them. */
export async function takeLease(
  shards: Shards,
  worker: number,
  holder: string,
  now: number,
  ttlMs: number,
): Promise<{ readonly epoch: number } | Extract<Lease, { readonly kind: 'busy' }>> {
  let busy: Extract<Lease, { readonly kind: 'busy' }> | undefined;
  const epoch = await everywhere(shards, worker, async (least) => {
    const args = [worker, holder, now, now + ttlMs, least];
    const [word = null, ...rest] = await shards.run(shards.first, acquireScript, [], args);
    const [first = '', second = ''] = rest.map(textOf);
    if (textOf(word) !== 'busy') return { epoch: Number(first), isNew: first !== second };
    busy = { kind: 'busy', holder: first, until: Number(second) };
    return undefined;
  });
  if (epoch !== undefined) return { epoch };
  if (busy) return busy;
  throw new TypeError('a lease is neither taken nor busy');
}

/** Ends whatever lease there is, and brings the shards of a worker who was cut off to one checkpoint. */
export async function repair(shards: Shards, worker: number): Promise<'together' | 'apart'> {
  const epoch = await everywhere(shards, worker, async (least) => {
    const [, given = null] = await shards.run(shards.first, bumpScript, [], [worker, least]);
    return { epoch: Number(textOf(given)), isNew: true };
  });
  return bringTogether(shards, worker, epoch as number);
}

/** Makes an epoch known in all shards. A first shard that went back may give one that was given before. */
async function everywhere(
  shards: Shards,
  worker: number,
  give: (least: number) => Promise<Given | undefined>,
): Promise<number | undefined> {
  let least = 0;
  for (let round = 0; round < raiseRoundsMax; round += 1) {
    const given = await give(least);
    if (!given) return undefined;
    const { epoch, isNew } = given;
    const raised = await Promise.all(
      shards.names
        .slice(1)
        .map((names) => shards.run(names, raiseScript, [], [worker, epoch, isNew ? '1' : '0'])),
    );
    const higher = raised
      .filter((reply) => wordOf(reply) === 'behind')
      .map(([, held = null]) => Number(textOf(held)));
    if (higher.length === 0) return epoch;
    least = 1 + Math.max(...higher);
  }
  throw storeError('busy', `${shards.connection.place}: a lease is fought for`);
}
