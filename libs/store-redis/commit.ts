import { createHash } from 'node:crypto';
import { encodeCheckpoint } from '@annals/event-log';
import type { Batch, CommitResult } from '@annals/projection';
import type { Reply } from './connection.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { type Piece, ShardChanges } from './piece-writer.ts';
import { textOf, wordOf } from './replies.ts';
import { commitScript } from './scripts.ts';
import { type Shards, storedCheckpoint } from './shards.ts';

/**
 * Applies a batch: in the first shard, which decides whether it is taken, then in all others at once.
 * Every shard is stamped in every batch. Sent again, whole or in part, it changes nothing more.
 */
export async function commitBatch(
  shards: Shards,
  batch: Batch,
  now: number,
): Promise<CommitResult> {
  const pieces = piecesOf(shards, batch);
  const send = new Sender(shards, batch, now, hashOf(batch.tail, pieces));
  const [first, ...others] = shards.names as [ShardNames, ...ShardNames[]];
  const decided = await send.all(first, pieces[0] as readonly Piece[]);
  if (decided.kind === 'another') return { kind: 'already-applied' };
  if (decided.kind !== 'applied' && decided.kind !== 'already-applied') return decided;
  const followed = await Promise.all(
    others.map((names, n) => send.all(names, pieces[n + 1] as readonly Piece[])),
  );
  for (const result of followed) {
    if (result.kind === 'stale' || result.kind === 'held') return result;
  }
  const isNew = [decided, ...followed].some(({ kind }) => kind === 'applied');
  return { kind: isNew ? 'applied' : 'already-applied' };
}

/** The pieces for each shard. Throws a TypeError for a row that does not fit its table, before anything is sent. */
function piecesOf(shards: Shards, { changes }: Batch): Piece[][] {
  const byShard = shards.names.map(() => new ShardChanges());
  for (const change of changes) {
    const { shard, layout, bucket, field } = shards.place(change);
    if (change.row !== null) layout.check(change.key, change.row);
    byShard[shard]?.add(layout, bucket, field, change);
  }
  return byShard.map((one) => one.pieces());
}

/** `another`: the shard is where this batch leads, by another batch, so that the other shards must not get this one. */
type Sent = CommitResult | { readonly kind: 'another' };

/** Tells a batch that is sent again from another one with the same checkpoints. */
function hashOf(tail: string, pieces: readonly (readonly Piece[])[]): string {
  const hash = createHash('sha1').update(tail);
  for (const shard of pieces)
    for (const { keys, body } of shard) hash.update(keys.join()).update(body);
  return hash.digest('base64url');
}

class Sender {
  readonly #shards: Shards;
  readonly #batch: Batch;
  readonly #now: number;
  readonly #hash: string;

  constructor(shards: Shards, batch: Batch, now: number, hash: string) {
    this.#shards = shards;
    this.#batch = batch;
    this.#now = now;
    this.#hash = hash;
  }

  /** Some pieces at a time, in their order; the first that is refused ends it. */
  async all(names: ShardNames, pieces: readonly Piece[]): Promise<Sent> {
    let applied = false;
    for (let first = 0; first < pieces.length; first += limits.piecesInFlightMax) {
      const some = pieces.slice(first, first + limits.piecesInFlightMax);
      const results = await Promise.all(
        some.map((piece, n) => this.#one(names, piece, first + n + 1, pieces.length)),
      );
      for (const result of results) {
        if (result.kind === 'applied') applied = true;
        else if (result.kind !== 'already-applied') return result;
      }
    }
    return { kind: applied ? 'applied' : 'already-applied' };
  }

  async #one(
    names: ShardNames,
    { keys, body }: Piece,
    piece: number,
    pieces: number,
  ): Promise<Sent> {
    const { worker, epoch, from, to, tail } = this.#batch;
    const keepsUndo = this.#shards.names.length > 1 ? '1' : '0';
    const reply = await this.#shards.run(
      names,
      commitScript,
      [names.undo(worker), ...names.snapshots, ...keys.map((key) => names.tag + key)],
      [
        ...[worker, epoch, encodeCheckpoint(from), encodeCheckpoint(to)],
        ...[piece, pieces, this.#now, keepsUndo, body, this.#hash, tail],
      ],
    );
    return resultOf(reply);
  }
}

function resultOf(reply: readonly Reply[]): Sent {
  const [, first = null, second = null] = reply;
  const word = wordOf(reply);
  if (word === 'applied') return { kind: word };
  if (word === 'already-applied') {
    return { kind: textOf(first) === 'another' ? 'another' : 'already-applied' };
  }
  if (word === 'held') return { kind: 'held', at: storedCheckpoint(textOf(first).trim()) };
  if (word === 'stale') {
    const checkpoint = storedCheckpoint(textOf(second));
    return { kind: 'stale', epoch: Number(textOf(first)), checkpoint };
  }
  throw new TypeError(`a commit was answered with ${word}`);
}
