import type { Checkpoint } from '@annals/event-log';
import type { Cell, Row, Split, Table } from './projection.ts';

/**
 * What a projection needs of one database. The whole port; `describeProjectionStore` in `contract/`
 * is its law. A store holds all generations of one projection.
 *
 * The rule everything rests on: rows and checkpoint change in one atomic step, and only if the batch
 * starts at the checkpoint the store holds, and follows the batches that the store has. A store that went back (restored, failed over) lost its
 * checkpoint together with its rows, so nothing is missed and nothing is applied twice. Leases and
 * epochs only avoid wasted work.
 */
export interface ProjectionStore {
  /** Makes an empty generation with its marker. `exists` when a generation of this number is there. */
  create(spec: GenerationSpec): Promise<'created' | 'exists'>;
  /** Opens a generation for work. `lost` when there is nothing, or no marker: lost is not empty. */
  open(generation: number): Promise<GenerationStore | 'lost'>;
  /** Removes a generation and everything it holds, leaving no bytes of it. Idempotent. */
  drop(generation: number): Promise<void>;
  close(): Promise<void>;
}

/** Written once into a generation's marker and read back on opening. */
export interface GenerationSpec {
  /**
   * The id of the event that tells of this generation. Read models that stand beside another log
   * than theirs are known by it: generations are numbered alike in every log.
   */
  readonly id: string;
  readonly projection: string;
  readonly version: number;
  readonly generation: number;
  readonly tables: readonly Table[];
  /** The work is split in this many shares, each with a checkpoint and a lease of its own. */
  readonly workers: number;
  /** `stream`: every worker reads every partition. `partition`: each partition is read by one worker only. */
  readonly split: Split;
}

export interface RowKey {
  readonly table: string;
  readonly key: readonly Cell[];
}

/** An absolute new state of one row; `null` deletes it. */
export interface RowChange extends RowKey {
  readonly row: Row | null;
  /** The row at the checkpoint that the batch starts from, where it is known; `null` for none. A store need not look. */
  readonly before?: Row | null;
}

export interface Batch {
  /** Which share of the work: 0 to workers - 1. */
  readonly worker: number;
  readonly epoch: number;
  /** The checkpoint the batch was folded from; must equal what the store holds. */
  readonly from: Checkpoint;
  readonly to: Checkpoint;
  /** How many batches the store had of this share then: one that stays at its checkpoint leaves no other trace. */
  readonly after: number;
  /** What the log has at `to`: opaque text of some hundred characters, kept with `to` and given back with the lease. */
  readonly tail: string;
  /** At most one change for each row. */
  readonly changes: readonly RowChange[];
}

export type CommitResult =
  | { readonly kind: 'applied' }
  /** The store is at `to` already with this batch's epoch: an earlier send of this batch got through. */
  | { readonly kind: 'already-applied' }
  /** Another epoch, another checkpoint or other batches on the way to it: nothing was written. Forget the rows in memory and reload. */
  | { readonly kind: 'stale'; readonly epoch: number; readonly checkpoint: Checkpoint }
  /** Somebody compares generations: nothing past `at` may be written now. */
  | { readonly kind: 'held'; readonly at: Checkpoint };

/** How far one worker has come: where its last batch ended. */
export interface ShareProgress {
  readonly checkpoint: Checkpoint;
  /** As that batch brought it; empty at the beginning. */
  readonly tail: string;
}

export interface Acquired extends ShareProgress {
  readonly kind: 'acquired';
  readonly epoch: number;
  /** How many batches brought the share there. */
  readonly batches: number;
}

export type Lease =
  | Acquired
  /** Another holder works on it until then, unless it renews (milliseconds since 1970). */
  | { readonly kind: 'busy'; readonly holder: string; readonly until: number };

/** A lease as the store holds it; whether it still counts is for whoever asks to say. */
export interface HeldLease {
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface GenerationStore {
  readonly spec: GenerationSpec;
  /** A batch of at most so many rows is one step of the store; larger ones cost it more. Absent where they do not. */
  readonly batchRowsMax?: number;
  /** The same while the generation is built, where another size is better then. */
  readonly buildBatchRowsMax?: number;
  /** So many rows a projector that follows keeps in memory, where loading one again takes a round trip; absent elsewhere. */
  readonly keptRowsMax?: number;

  /**
   * Takes or renews the lease of one worker's share until `now + ttlMs`. The same holder keeps its
   * epoch; a takeover raises it, so that the former holder's batches are refused. A lease that runs
   * longer than `ttlMs` from `now` was given before a clock was set back: it is over.
   */
  acquire(worker: number, holder: string, now: number, ttlMs: number): Promise<Lease>;
  /** Gives the lease up early; nothing happens when another epoch holds it. */
  release(worker: number, epoch: number): Promise<void>;
  /** Who last took each worker's share and did not give it up, by number; for looking, takes nothing. */
  leases?(): Promise<readonly (HeldLease | undefined)[]>;

  /** The rows with these keys, in their order; undefined where there is none. */
  load(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>;
  /** Throws StoreLostError when the store was removed or replaced behind us. */
  commit(batch: Batch): Promise<CommitResult>;

  /**
   * Says that the first catching up is over. Until then a store may leave out what it derives from
   * rows (further orders, ranked counts) and write faster; readers come only afterwards. Idempotent,
   * and may take seconds; a crash in its midst leaves a generation that is still being built.
   */
  finishBuilding?(): Promise<void>;

  /**
   * What all workers have reached: for each partition the lowest position of the workers that read
   * it. Split by stream those are all workers, so a partition one of them has not begun is not in it;
   * split by partition it is the one worker that names the partition.
   */
  checkpoint(): Promise<Checkpoint>;
  /** How far each worker has come, by number. */
  shares(): Promise<readonly ShareProgress[]>;

  /**
   * Lets no commit go past `at` until released or until `until` (milliseconds since 1970); see `isHolding`.
   * There is one hold: a new one takes its place, and whoever releases it releases it for all.
   */
  hold(at: Checkpoint, until: number): Promise<void>;
  unhold(): Promise<void>;

  /** A consistent view of all tables at one checkpoint, while commits go on. */
  snapshot(): Promise<GenerationSnapshot>;

  /**
   * Leaves no bytes of rows that were replaced or deleted, in any file: the last step of erasing a
   * person's data. May take seconds for each gigabyte. `blocked` when a reader needs older bytes for
   * too long, or when the store waits for an operator: ask again. Not there where a store keeps no such bytes.
   */
  purge?(): Promise<'purged' | 'blocked'>;

  /** False as soon as the store was removed, replaced or lost its marker. Cheap: asked every second. */
  present(): Promise<boolean>;
  close(): Promise<void>;
}

export interface GenerationSnapshot {
  readonly checkpoint: Checkpoint;
  count(table: string): Promise<number>;
  /** All rows of a table in key order, in pages; bounded memory. */
  rows(table: string): AsyncIterable<readonly Row[]>;
  /** Checks what the store derives from rows (ranked counts); each problem in words, none when all is right. */
  problems(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The store behind an open generation is gone or is another one. */
export class StoreLostError extends Error {
  readonly code = 'store-lost';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreLostError';
  }
}
