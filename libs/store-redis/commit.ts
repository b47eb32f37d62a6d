import { createHash } from 'node:crypto';
import { encodeCheckpoint } from '@annals/event-log';
import type { Batch, CommitResult } from '@annals/projection';
import { commitScript } from './commit-scripts.ts';
import type { Reply } from './connection.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { type Piece, ShardChanges } from './piece-writer.ts';
import { type Planned, planMoves, type Unplanned } from './plan-moves.ts';
import { textOf, wordOf } from './replies.ts';
import { type Shards, storedCheckpoint } from './shards.ts';

/**
 * Applies a batch: in the first shard, which decides whether it is taken, then in all others at once.
 * Every shard is stamped in every batch. Sent again, whole or in part, it changes nothing more. Where places
 * are dealt by score, a former place goes when the new one is there: the last pieces wait for all others.
 */
export async function commitBatch(
  shards: Shards,
  batch: Batch,
  now: number,
): Promise<CommitResult | Unplanned> {
  const planned = shards.hasRanges ? await planMoves(shards, batch) : noMoves;
  if (planned.kind !== 'planned') return planned;
  const inShards = piecesOf(shards, batch, planned);
  const hash = hashOf(
    batch.tail,
    inShards.map(({ pieces }) => pieces),
    shards.hasRanges,
  );
  const send = new Sender(shards, batch, now, hash, planned.borders);
  const [first, ...others] = shards.names.map((names, n) => ({
    names,
    ...(inShards[n] as ShardPieces),
  })) as [InShard, ...InShard[]];
  const decided = await send.pieces(first);
  if (planned.isAssumed && decided.kind !== 'applied') {
    shards.isBuilding = false;
    return { kind: 'unsettled' };
  }
  if (decided.kind === 'another') return { kind: 'already-applied' };
  if (decided.kind !== 'applied' && decided.kind !== 'already-applied') return decided;
  const came = await settled(others.map((shard) => send.pieces(shard)));
  const refused = came.find(isRefusal);
  if (refused) return refused;
  const gone = await settled([first, ...others].map((shard) => send.removals(shard)));
  const notGone = gone.find(isRefusal);
  if (notGone) return notGone;
  const isNew = [decided, ...came, ...gone].some(({ kind }) => kind === 'applied');
  return { kind: isNew ? 'applied' : 'already-applied' };
}

/** What one shard is sent: all that comes, then what goes when it has come everywhere. */
interface ShardPieces {
  readonly pieces: readonly Piece[];
  readonly removals: readonly Piece[];
}

type InShard = ShardPieces & { readonly names: ShardNames };

const noMoves: Planned = { kind: 'planned', borders: '', moves: [], isAssumed: false };

function isRefusal(sent: Sent): sent is Exclude<CommitResult, { kind: 'applied' }> | Unplanned {
  return sent.kind === 'stale' || sent.kind === 'held' || sent.kind === 'unsettled';
}

/** The pieces for each shard. Throws a TypeError for a row that does not fit its table, before anything is sent. */
function piecesOf(shards: Shards, { changes }: Batch, { moves }: Planned): ShardPieces[] {
  const byShard = shards.names.map(() => new ShardChanges(!shards.hasRanges));
  for (const change of changes) {
    const { shard, layout, bucket, field } = shards.place(change);
    if (change.row !== null) layout.check(change.key, change.row);
    byShard[shard]?.add(layout, bucket, field, change);
  }
  for (const { shard, waits, ...move } of moves) byShard[shard]?.move(move, waits);
  return byShard.map((one) => ({ pieces: one.pieces(), removals: one.removals() }));
}

/** `another`: the shard is where this batch leads, by another batch, so that the other shards must not get this one. */
type Sent = CommitResult | Unplanned | { readonly kind: 'another' };

/** Tells a batch that is sent again from another one with the same checkpoints. */
function hashOf(tail: string, pieces: readonly (readonly Piece[])[], hasRanges: boolean): string {
  const hash = createHash('sha1').update(tail);
  for (const { keys, body, rowKeys, rowBytes } of pieces.flat()) {
    // How many parts a piece has is no part of it where only some are about rows.
    const start = hasRanges ? listHeadBytes : 0;
    hash.update(keys.slice(0, rowKeys).join()).update(body.subarray(start, rowBytes));
  }
  return hash.digest('base64url');
}

/** The head of a list in a piece: its kind and its length. */
const listHeadBytes = 5;

/**
 * Waits for all, also where one fails: what is still on its way would come in between whoever brings the shards
 * together next, and they would be taken for lost.
 */
async function settled(sent: readonly Promise<Sent>[]): Promise<Sent[]> {
  const outcomes = await Promise.allSettled(sent);
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

class Sender {
  readonly #shards: Shards;
  readonly #batch: Batch;
  readonly #now: number;
  readonly #hash: string;
  readonly #borders: string;

  constructor(shards: Shards, batch: Batch, now: number, hash: string, borders: string) {
    this.#shards = shards;
    this.#batch = batch;
    this.#now = now;
    this.#hash = hash;
    this.#borders = borders;
  }

  pieces({ names, pieces, removals }: InShard): Promise<Sent> {
    return this.#all(names, pieces, 0, pieces.length + removals.length);
  }

  removals({ names, pieces, removals }: InShard): Promise<Sent> {
    return this.#all(names, removals, pieces.length, pieces.length + removals.length);
  }

  /** Some pieces at a time, in their order; the first that is refused ends it. */
  async #all(
    names: ShardNames,
    pieces: readonly Piece[],
    before: number,
    total: number,
  ): Promise<Sent> {
    let applied = false;
    for (let first = 0; first < pieces.length; first += limits.piecesInFlightMax) {
      const some = pieces.slice(first, first + limits.piecesInFlightMax);
      const results = await settled(
        some.map((piece, n) => this.#one(names, piece, before + first + n + 1, total)),
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
    const { worker, epoch, from, to, tail, after } = this.#batch;
    const keepsUndo = this.#shards.names.length > 1 ? '1' : '0';
    const reply = await this.#shards.run(
      names,
      commitScript,
      [names.undo(worker), ...names.snapshots, ...keys.map((key) => names.tag + key)],
      [
        ...[worker, epoch, encodeCheckpoint(from), encodeCheckpoint(to)],
        ...[piece, pieces, this.#now, keepsUndo, body, this.#hash, tail],
        ...[this.#borders, after],
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
  if (word === 'borders') return { kind: 'unsettled' };
  if (word === 'held') return { kind: 'held', at: storedCheckpoint(textOf(first).trim()) };
  if (word === 'stale') {
    const checkpoint = storedCheckpoint(textOf(second));
    return { kind: 'stale', epoch: Number(textOf(first)), checkpoint };
  }
  throw new TypeError(`a commit was answered with ${word}`);
}
