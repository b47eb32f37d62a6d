import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import type { Answer, Followed } from '@annals/payments';
import type { Cell, GenerationSnapshot, ProjectionStore, Row } from '@annals/projection';
import { type LiveGenerations, liveTwin } from '../live-twin.ts';

/** All rows of a table, in the order of their keys. */
export async function rowsOf(snapshot: GenerationSnapshot, table: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const page of snapshot.rows(table)) rows.push(...page);
  return rows;
}

type Rows = (table: string) => Promise<readonly Row[]>;

/** What read models over the store twin are made of: tables are read whole, at one checkpoint. */
export interface TwinReads extends Followed {
  answer<T extends object>(read: (rows: Rows, asOf: Checkpoint) => Promise<T>): Promise<Answer<T>>;
}

export function twinReads(
  store: ProjectionStore,
  directory: LiveGenerations,
  projection: string,
  clock: Clock,
): TwinReads {
  const live = liveTwin(store, directory, projection, clock);
  return {
    answer: async (read) => {
      const generation = await live.open();
      if (generation === 'lost') return { kind: 'lost' };
      const snapshot = await generation.snapshot();
      try {
        const found = await read((table) => rowsOf(snapshot, table), snapshot.checkpoint);
        return { kind: 'answer', asOf: snapshot.checkpoint, ...found };
      } finally {
        await snapshot.close();
      }
    },
    waitFor: live.waitFor,
  };
}

type Named<Column extends string> = { readonly [Name in Column]: Cell };

/** Rows behind `after` in the order of these columns, at most `limit`. A cell that is null stands in no order. */
export function inOrder<T extends Named<Column>, Column extends string>(
  rows: readonly T[],
  columns: readonly Column[],
  { after, limit }: { readonly after?: readonly Cell[] | undefined; readonly limit: number },
): readonly T[] {
  const placeOf = (row: T) => columns.map((column) => row[column]);
  return rows
    .filter((row) => placeOf(row).every((cell) => cell !== null))
    .filter((row) => !after || compared(placeOf(row), after) > 0)
    .toSorted((one, other) => compared(placeOf(one), placeOf(other)))
    .slice(0, limit);
}

function compared(one: readonly Cell[], other: readonly Cell[]): number {
  for (const [index, cell] of one.entries()) {
    const [a, b] = [cell ?? '', other[index] ?? ''];
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}
