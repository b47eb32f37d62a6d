import type { Checkpoint } from '@annals/event-log';
import { expect } from 'vitest';
import type { Cell, Row, Table } from '../projection.ts';
import type {
  Acquired,
  Batch,
  CommitResult,
  GenerationSnapshot,
  GenerationSpec,
  GenerationStore,
  Lease,
  RowChange,
} from '../store.ts';

/** Ranked, with a further order, and loaded before it is written. */
export const entries: Table = {
  name: 'entries',
  columns: { board: 'text', player: 'text', score: 'integer', name: 'text' },
  key: ['board', 'player'],
  indexes: { by_score: ['board', 'score desc', 'player'] },
  ranked: { group: ['board'], score: 'score' },
};

/** A column and a key column of each type. */
export const cells: Table = {
  name: 'cells',
  columns: {
    key_text: 'text',
    key_integer: 'integer',
    key_blob: 'blob',
    a_text: 'text',
    an_integer: 'integer',
    a_blob: 'blob',
  },
  key: ['key_text', 'key_integer', 'key_blob'],
};

export const matches: Table = {
  name: 'matches',
  columns: { id: 'text', points: 'integer' },
  key: ['id'],
  writeOnly: true,
};

export const sampleSpec: GenerationSpec = {
  id: '00000000-0000-5000-8000-000000000001',
  projection: 'sample',
  version: 3,
  generation: 1,
  tables: [entries, cells, matches],
  workers: 1,
  split: 'stream',
};

export function entry(board: string, player: string, score: number, name = `The ${player}`): Row {
  return { board, player, score, name };
}

export function putEntry(row: Row): RowChange {
  return put(entries, row);
}

export function put(table: Table, row: Row): RowChange {
  return { table: table.name, key: table.key.map((column) => row[column] as Cell), row };
}

export function remove(table: Table, ...key: readonly Cell[]): RowChange {
  return { table: table.name, key, row: null };
}

/** Position number `n` of the only partition: compares as text, as positions do. */
export function at(n: number): Checkpoint {
  return n === 0 ? {} : { 0: position(n) };
}

export function position(n: number): string {
  return String(n).padStart(16, '0');
}

/** What a store is given to keep with a checkpoint: to it, any text. */
export function tailOf(checkpoint: Checkpoint): string {
  return checkpoint[0] === undefined ? '' : `0:${checkpoint[0]}:1700000000000:é`;
}

/** The lease of a share that stands at `checkpoint`: after one batch for each position, unless told. */
export function acquired(
  epoch: number,
  checkpoint: Checkpoint,
  batches = Number(checkpoint[0] ?? 0),
): Lease {
  return { kind: 'acquired', epoch, checkpoint, tail: tailOf(checkpoint), batches };
}

/** One worker's share as its projector has it: the lease, and how far it has come. */
export class Share {
  readonly generation: GenerationStore;
  readonly worker: number;
  readonly epoch: number;
  checkpoint: Checkpoint;
  batches: number;
  #at: number;

  private constructor(
    generation: GenerationStore,
    worker: number,
    { epoch, checkpoint, batches }: Acquired,
  ) {
    this.generation = generation;
    this.worker = worker;
    this.epoch = epoch;
    this.checkpoint = checkpoint;
    this.batches = batches;
    this.#at = Number(checkpoint[0] ?? 0);
  }

  static async take(generation: GenerationStore, worker = 0, holder = 'first'): Promise<Share> {
    const lease = await generation.acquire(worker, holder, 1_000, 60_000);
    if (lease.kind !== 'acquired') throw new Error(`worker ${worker} is held by ${lease.holder}`);
    return new Share(generation, worker, lease);
  }

  /** The next batch of this share, one position on. */
  batch(changes: readonly RowChange[] = [], to: Checkpoint = at(this.#at + 1)): Batch {
    const { worker, epoch, checkpoint: from, batches: after } = this;
    return { worker, epoch, from, to, after, tail: tailOf(to), changes };
  }

  async send(batch: Batch): Promise<CommitResult> {
    const result = await this.generation.commit(batch);
    if (result.kind === 'applied' || result.kind === 'already-applied') {
      this.checkpoint = batch.to;
      this.batches = batch.after + 1;
      this.#at = Number(batch.to[0] ?? 0);
    }
    return result;
  }

  /** Commits the next batch, which must be applied. */
  async commit(...changes: readonly RowChange[]): Promise<void> {
    expect(await this.send(this.batch(changes))).toEqual({ kind: 'applied' });
  }
}

/** The rows of these keys, as `load` gives them. */
export function loadEntries(
  generation: GenerationStore,
  ...keys: readonly (readonly [string, string])[]
): Promise<readonly (Row | undefined)[]> {
  return generation.load(keys.map((key) => ({ table: entries.name, key })));
}

export async function allRows(snapshot: GenerationSnapshot, table: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const page of snapshot.rows(table)) rows.push(...page);
  return rows;
}

/** The rows of a table as committed, in key order. */
export async function rowsOf(generation: GenerationStore, table: Table): Promise<Row[]> {
  const snapshot = await generation.snapshot();
  try {
    const rows = await allRows(snapshot, table.name);
    expect(await snapshot.count(table.name)).toBe(rows.length);
    expect(await snapshot.problems()).toEqual([]);
    return rows;
  } finally {
    await snapshot.close();
  }
}
