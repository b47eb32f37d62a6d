import { randomBytes } from 'node:crypto';
import { sha256 } from '@annals/core';
import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import type { RowChange, Table } from '@annals/projection';

/** Which batch of a worker changed each table last. */
export interface ChangedTables {
  /** The batch that this was said with. */
  readonly seq: number;
  /** Tells it from another batch of that number, as a store that went back gives. */
  readonly batch: string;
  /** By the table's name; none for a table that was never changed. */
  readonly marks: { readonly [table: string]: string };
}

/** A batch as its worker's row says that it was decided, with what it changes. */
export interface ChangingBatch {
  readonly seq: number;
  readonly checkpoint: Checkpoint;
  readonly journal: string | null;
  readonly changes: readonly Pick<RowChange, 'table'>[];
}

const nothing: ChangedTables = { seq: 0, batch: '', marks: {} };

/**
 * What is to be said with a batch. Where nobody said it with the batch before (a program of before wrote that one), every
 * table may have been changed by it. Whoever finishes a batch may give it another mark, and each is right: a mark is never
 * given twice, so rows that were kept under one are forgotten at the worst.
 */
export function changedBy(
  before: ChangedTables | undefined,
  { seq, checkpoint, journal, changes }: ChangingBatch,
  tables: readonly Pick<Table, 'name'>[],
): ChangedTables {
  const batch = sha256(`${encodeCheckpoint(checkpoint)} ${journal}`).slice(0, 16);
  // It was said already by somebody who did not live to write its rows.
  if (before?.seq === seq && before.batch === batch) return before;
  const known = seq === 1 ? nothing : before?.seq === seq - 1 ? before : undefined;
  const changed = known && new Set(changes.map(({ table }) => table));
  const mark = `${seq} ${randomBytes(6).toString('hex')}`;
  const marks = tables.flatMap(({ name }) => {
    const last = changed?.has(name) === false ? known?.marks[name] : mark;
    return last === undefined ? [] : [[name, last]];
  });
  return { seq, batch, marks: Object.fromEntries(marks) };
}

function seqOf(mark: string): number {
  return Number(mark.slice(0, mark.indexOf(' ')));
}

export function encodeChanged(changed: ChangedTables): string {
  return JSON.stringify(changed);
}

/** Undefined where it was never said. */
export function decodeChanged(text: string | undefined): ChangedTables | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as ChangedTables);
}

/** What a worker's row says of its batches. */
export interface SaidOfBatches {
  /** The last one whose rows are all written. */
  readonly seq: number;
  /** The last one that rows may have been written of. */
  readonly started: number;
  /** Encoded; undefined where it was never said. */
  readonly changed: string | undefined;
}

/** The marks of tables as one look found them, those of all workers together. */
export class TableMarks {
  readonly #workers: readonly SaidOfBatches[];
  #said: readonly (ChangedTables | undefined)[] | undefined;
  readonly #marks = new Map<string, string | undefined>();

  constructor(workers: readonly SaidOfBatches[]) {
    this.#workers = workers;
  }

  /** As long as this stays the same, no batch that changes the table is begun. Undefined where a worker does not say it. */
  of(table: string): string | undefined {
    if (!this.#marks.has(table)) this.#marks.set(table, this.#joined(table));
    return this.#marks.get(table);
  }

  #joined(table: string): string | undefined {
    const marks: string[] = [];
    for (const said of this.#decoded()) {
      if (!said) return undefined;
      marks.push(said.marks[table] ?? '');
    }
    return marks.join(', ');
  }

  /** Whether all rows of the batches that changed it last are written. */
  isWritten(table: string): boolean {
    return this.#decoded().every((said, worker) => {
      const mark = said?.marks[table];
      return mark === undefined || seqOf(mark) <= (this.#workers[worker]?.seq ?? -1);
    });
  }

  /** Most reads keep nothing, and need none of it. */
  #decoded(): readonly (ChangedTables | undefined)[] {
    this.#said ??= this.#workers.map(({ started, seq, changed }) => {
      const said = started === 0 && seq === 0 ? nothing : decodeChanged(changed);
      // A program of before has begun a batch since, and did not say what it changes.
      return said?.seq === started ? said : undefined;
    });
    return this.#said;
  }
}
