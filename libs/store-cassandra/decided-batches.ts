import { type Batch, type GenerationSpec, StoreLostError, type Table } from '@annals/projection';
import type { BatchWriter } from './batch-writer.ts';
import { type ChangedTables, changedBy, decodeChanged } from './changed-tables.ts';
import type { Journals } from './journal.ts';
import type { HeldRows } from './rank-keeper.ts';
import { waited } from './schema.ts';
import type { Applied, WorkerRows, WorkerState } from './worker-rows.ts';

/**
 * Batches that were decided, and whose rows are to be written: by whoever decided them, and where he died by whoever comes
 * next. What is known of a worker stays known until `forget`.
 */
export class DecidedBatches {
  readonly #spec: GenerationSpec;
  readonly #workers: WorkerRows;
  readonly #journals: Journals;
  readonly #writer: BatchWriter;
  readonly #tables: readonly Table[];
  readonly #mustBeDecided: (worker: number, seq: number) => Promise<void>;
  /** The last batch of each worker whose rows are known to be written. */
  readonly #applied = new Map<number, number>();
  /** What was said last of the tables that each worker changed. */
  readonly #changed = new Map<number, ChangedTables>();

  constructor(options: {
    readonly spec: GenerationSpec;
    readonly workers: WorkerRows;
    readonly journals: Journals;
    readonly writer: BatchWriter;
    /** Also those that the store keeps ranks in. */
    readonly tables: readonly Table[];
    /** Throws StoreLostError where the worker's row does not say that this batch was decided. */
    readonly mustBeDecided: (worker: number, seq: number) => Promise<void>;
  }) {
    this.#spec = options.spec;
    this.#workers = options.workers;
    this.#journals = options.journals;
    this.#writer = options.writer;
    this.#tables = options.tables;
    this.#mustBeDecided = options.mustBeDecided;
  }

  /** The store may have gone back: what was known is asked anew. */
  forget(worker: number): void {
    this.#applied.delete(worker);
    this.#changed.delete(worker);
  }

  /** Writes the rows of the batch that `state` was decided by. */
  async write(
    worker: number,
    state: WorkerState,
    changes: Batch['changes'],
    held?: HeldRows,
  ): Promise<void> {
    const { seq, checkpoint, tail, journal } = state;
    await this.#workers.setStarted(worker, await this.#changedBy(worker, state, changes));
    await this.#writer.write({ worker, seq, changes, heeds: state, held });
    await this.#workers.setApplied(worker, { seq, checkpoint, tail });
    this.#applied.set(worker, seq);
    await this.#journals.remove(journal);
  }

  /** Sees to it that the rows of the batch decided last are written. */
  async settle(worker: number, state: WorkerState): Promise<void> {
    if (await this.#isWritten(worker, state.seq)) return;
    const changes = await this.#journals.read(state.journal);
    if (changes) return this.write(worker, state, changes);
    // Somebody else finished it meanwhile; else what it changed is known to nobody.
    if (await this.#isWritten(worker, state.seq)) return;
    const { projection, generation } = this.#spec;
    throw new StoreLostError(
      `${projection} g${generation}: the journal of batch ${state.seq} of worker ${worker} is gone`,
    );
  }

  /** Its own writer may be at it: he is given some time. */
  async settlePatiently(worker: number, state: WorkerState): Promise<void> {
    if (await waited(() => this.#isWritten(worker, state.seq))) return;
    await this.settle(worker, state);
  }

  async #isWritten(worker: number, seq: number): Promise<boolean> {
    if ((this.#applied.get(worker) ?? -1) >= seq) return true;
    const { seq: applied, started } = await this.#look(worker);
    if (started > seq) await this.#mustBeDecided(worker, started);
    return applied >= seq;
  }

  async #changedBy(
    worker: number,
    state: WorkerState,
    changes: Batch['changes'],
  ): Promise<ChangedTables> {
    if (state.seq > 1 && !this.#changed.has(worker)) await this.#look(worker);
    const known = this.#changed.get(worker);
    const changed = changedBy(known, { ...state, changes }, this.#tables);
    this.#changed.set(worker, changed);
    return changed;
  }

  /** How far the rows of a worker are written, and which tables its batches changed. */
  async #look(worker: number): Promise<Applied> {
    const applied = (await this.#workers.applied())[worker] as Applied;
    const said = decodeChanged(applied.changed);
    this.#applied.set(worker, applied.seq);
    if (said) this.#changed.set(worker, said);
    return applied;
  }
}
