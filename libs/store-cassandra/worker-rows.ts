import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '@annals/event-log';
import { type ShareProgress, StoreLostError } from '@annals/projection';
import { type ChangedTables, encodeChanged, type SaidOfBatches } from './changed-tables.ts';
import type { CassandraConnection, DriverRow } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import type { Marker } from './marker.ts';

/** `none`: orders are not kept yet; `making`: every batch keeps them, older rows are being added; `made`: they are whole. */
export type Deriving = 'none' | 'making' | 'made';

/** One snapshot as a worker's row knows it. */
export interface OpenSnapshot {
  /** The last batch of this worker that the snapshot shows. */
  readonly seq: number;
  /** The checkpoint that batch leads to. */
  readonly at: Checkpoint;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** A worker's row: who may write, which batch was decided last, and what the next one must heed. */
export interface WorkerState {
  readonly epoch: number;
  readonly holder: string | null;
  readonly until: number;
  /** The number of the batch decided last, the checkpoint it leads to, and what the log has there. */
  readonly seq: number;
  readonly checkpoint: Checkpoint;
  readonly tail: string;
  /** Where the rows of that batch are written down; null when it had none. */
  readonly journal: string | null;
  readonly hold: { readonly at: Checkpoint; readonly until: number } | undefined;
  readonly snapshots: { readonly [id: string]: OpenSnapshot };
  readonly deriving: Deriving;
  /** Raised by whatever changes hold, snapshots or deriving, so that a batch decided without knowing of it is refused. */
  readonly control: number;
}

/** Up to where the rows of a worker are written. */
export interface Applied extends ShareProgress, SaidOfBatches {}

export interface Decision {
  readonly to: Checkpoint;
  readonly tail: string;
  readonly journal: string | null;
}

/** The rows of a generation's workers. Changed by compare-and-set only, a few times for each batch. */
export class WorkerRows {
  readonly #connection: CassandraConnection;
  readonly #marker: Marker;

  constructor(connection: CassandraConnection, marker: Marker) {
    this.#connection = connection;
    this.#marker = marker;
  }

  lost(cause?: unknown): StoreLostError {
    const { projection, generation } = this.#marker.spec;
    return new StoreLostError(
      `${projection} g${generation} was removed or replaced in keyspace ${this.#connection.keyspace}`,
      { cause },
    );
  }

  /** Throws StoreLostError when there is no such row. */
  async read(worker: number): Promise<WorkerState> {
    const [row] = await this.#connection.serialRead(
      `SELECT epoch, holder, until, seq, checkpoint, tail, journal, hold_at, hold_until, snapshots, deriving, control
       FROM ${this.#connection.keyspace}.annals_workers WHERE instance = ? AND worker = ?`,
      [this.#marker.instance, worker],
    );
    // A row that was deleted by compare-and-set may show as one of nulls.
    if (!row || row.epoch === null) throw this.lost();
    return stateFrom(row);
  }

  /** Whether the generation is filled for the first time: its orders are not whole. Throws StoreLostError. */
  async areBuilding(): Promise<boolean> {
    const workers = Array.from({ length: this.#marker.spec.workers }, (_, worker) => worker);
    const states = await Promise.all(workers.map((worker) => this.read(worker)));
    return states.some(({ deriving }) => deriving !== 'made');
  }

  /** Decides a batch: from now on it counts, whatever becomes of its writer. False when `state` is not what is there. */
  decide(worker: number, state: WorkerState, { to, tail, journal }: Decision): Promise<boolean> {
    return this.#connection.compareAndSet(
      `UPDATE ${this.#connection.keyspace}.annals_workers SET seq = ?, checkpoint = ?, tail = ?, journal = ?
       WHERE instance = ? AND worker = ? IF epoch = ? AND seq = ? AND checkpoint = ? AND control = ?`,
      [
        BigInt(state.seq + 1),
        encodeCheckpoint(to),
        tail,
        journal,
        this.#marker.instance,
        worker,
        BigInt(state.epoch),
        BigInt(state.seq),
        encodeCheckpoint(state.checkpoint),
        BigInt(state.control),
      ],
    );
  }

  /** Leaves no journal behind of a batch whose rows are written; nothing happens when another was decided since. */
  forgetJournal(worker: number, seq: number): Promise<boolean> {
    return this.#connection.compareAndSet(
      `UPDATE ${this.#connection.keyspace}.annals_workers SET journal = null
       WHERE instance = ? AND worker = ? IF seq = ?`,
      [this.#marker.instance, worker, BigInt(seq)],
    );
  }

  setLease(
    worker: number,
    state: WorkerState,
    lease: Pick<WorkerState, 'epoch' | 'holder' | 'until'>,
  ): Promise<boolean> {
    return this.#connection.compareAndSet(
      `UPDATE ${this.#connection.keyspace}.annals_workers SET epoch = ?, holder = ?, until = ?
       WHERE instance = ? AND worker = ? IF epoch = ? AND holder = ? AND until = ? AND seq = ?`,
      [
        BigInt(lease.epoch),
        lease.holder,
        BigInt(lease.until),
        this.#marker.instance,
        worker,
        BigInt(state.epoch),
        state.holder,
        BigInt(state.until),
        BigInt(state.seq),
      ],
    );
  }

  /** Changes what the batches to come must heed, against all who do so at once. Gives the state it was changed from. */
  async setControl(
    worker: number,
    change: (
      state: WorkerState,
    ) => Partial<Pick<WorkerState, 'hold' | 'snapshots' | 'deriving'>> | undefined,
  ): Promise<WorkerState> {
    for (let attempt = 0; attempt < limits.casAttemptsMax; attempt += 1) {
      const state = await this.read(worker);
      const changed = change(state);
      if (!changed) return state;
      const { hold, snapshots, deriving } = { ...state, ...changed };
      const done = await this.#connection.compareAndSet(
        `UPDATE ${this.#connection.keyspace}.annals_workers
         SET hold_at = ?, hold_until = ?, snapshots = ?, deriving = ?, control = ?
         WHERE instance = ? AND worker = ? IF control = ? AND seq = ?`,
        [
          hold ? encodeCheckpoint(hold.at) : null,
          BigInt(hold?.until ?? 0),
          JSON.stringify(snapshots),
          deriving,
          BigInt(state.control + 1),
          this.#marker.instance,
          worker,
          BigInt(state.control),
          BigInt(state.seq),
        ],
      );
      if (done) return state;
    }
    throw storeError('contended', `worker ${worker}`);
  }

  /** Of all workers, in their order. Throws StoreLostError when one is missing. */
  async applied(): Promise<readonly Applied[]> {
    const rows = await this.#connection.execute(
      `SELECT worker, seq, checkpoint, tail, started, changed FROM ${this.#connection.keyspace}.annals_applied WHERE instance = ?`,
      [this.#marker.instance],
    );
    if (rows.length !== this.#marker.spec.workers) throw this.lost();
    return rows.map(({ seq, checkpoint, tail, started, changed }) => ({
      seq: Number(seq),
      started: Number(started ?? 0),
      changed: typeof changed === 'string' ? changed : undefined,
      checkpoint: storedCheckpoint(checkpoint),
      tail: storedTail(tail),
    }));
  }

  /** Says that rows of a batch will be written, and of which tables: before the first of them. */
  async setStarted(worker: number, changed: ChangedTables): Promise<void> {
    const seq = BigInt(changed.seq);
    await this.#connection.execute(
      `UPDATE ${this.#connection.keyspace}.annals_applied USING TIMESTAMP ? SET started = ?, changed = ?
       WHERE instance = ? AND worker = ?`,
      [seq, seq, encodeChanged(changed), this.#marker.instance, worker],
    );
  }

  /** Says that all rows up to a batch are written: after them. */
  async setApplied(
    worker: number,
    { seq, checkpoint, tail }: Omit<Applied, 'started' | 'changed'>,
  ): Promise<void> {
    await this.#connection.execute(
      `UPDATE ${this.#connection.keyspace}.annals_applied USING TIMESTAMP ? SET seq = ?, checkpoint = ?, tail = ?
       WHERE instance = ? AND worker = ?`,
      [BigInt(seq), BigInt(seq), encodeCheckpoint(checkpoint), tail, this.#marker.instance, worker],
    );
  }
}

function stateFrom(row: DriverRow): WorkerState {
  return {
    epoch: Number(row.epoch),
    holder: typeof row.holder === 'string' ? row.holder : null,
    until: Number(row.until),
    seq: Number(row.seq),
    checkpoint: storedCheckpoint(row.checkpoint),
    tail: storedTail(row.tail),
    journal: typeof row.journal === 'string' ? row.journal : null,
    hold:
      typeof row.hold_at === 'string'
        ? { at: storedCheckpoint(row.hold_at), until: Number(row.hold_until) }
        : undefined,
    snapshots: typeof row.snapshots === 'string' ? JSON.parse(row.snapshots) : {},
    deriving: String(row.deriving) as Deriving,
    control: Number(row.control),
  };
}

function storedCheckpoint(text: unknown): Checkpoint {
  const checkpoint = decodeCheckpoint(String(text));
  if (!checkpoint) throw new Error(`the store holds no checkpoint: ${String(text)}`);
  return checkpoint;
}

/** None at the beginning. */
function storedTail(text: unknown): string {
  return typeof text === 'string' ? text : '';
}
