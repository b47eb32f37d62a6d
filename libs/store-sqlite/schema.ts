import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { type Checkpoint, decodeCheckpoint } from '@annals/event-log';
import type { Cell, GenerationSpec, Table } from '@annals/projection';

/** Raised when a program of before could not read the file. A file of another format is rebuilt, not converted. */
const formatVersion = 2;

const namePattern = /^[a-z][a-z0-9_]{0,62}$/;
const reservedPattern = /^(?:annals|sqlite)_/;

/** A name as SQL takes it. Tables and columns are named by lower-case words joined by `_`. */
export function quoted(name: string): string {
  if (!namePattern.test(name) || reservedPattern.test(name)) {
    throw new TypeError(`"${name}" cannot name a table, a column or an index`);
  }
  return `"${name}"`;
}

export function columnsOf(table: Table): readonly string[] {
  return Object.keys(table.columns);
}

/**
 * WITHOUT ROWID keeps a row in the key's own tree: one lookup in place of two. Rows with blobs stay
 * out of it, for SQLite spills rows above a quarter of a page there.
 */
function isWithoutRowid(table: Table): boolean {
  return !Object.entries(table.columns).some(
    ([column, type]) => type === 'blob' && !table.key.includes(column),
  );
}

function columnSql(table: Table): string[] {
  return Object.entries(table.columns).map(([column, type]) => {
    const never = table.key.includes(column) ? ' NOT NULL' : '';
    return `${quoted(column)} ${type.toUpperCase()}${never}`;
  });
}

export function tableSql(table: Table): string {
  const key = `PRIMARY KEY (${table.key.map(quoted).join(', ')})`;
  const options = isWithoutRowid(table) ? 'STRICT, WITHOUT ROWID' : 'STRICT';
  return `CREATE TABLE ${quoted(table.name)} (${[...columnSql(table), key].join(', ')}) ${options}`;
}

/** Whether the key's own tree gives the rows in this order. */
function isOrderOfKey(table: Table, order: readonly string[]): boolean {
  return isWithoutRowid(table) && order.every((column, place) => column === table.key[place]);
}

export function indexesSql(table: Table): string[] {
  const orders = Object.entries(table.indexes ?? {});
  const further = orders.filter(([, order]) => !isOrderOfKey(table, order));
  return further.map(([name, order]) => {
    const columns = order.map((term) => {
      const [column, direction] = term.split(' ') as [string, string | undefined];
      if (direction !== undefined && direction !== 'desc') {
        throw new TypeError(`${table.name}.${name}: "${term}" is no column of an index`);
      }
      return direction ? `${quoted(column)} DESC` : quoted(column);
    });
    const indexName = quoted(`${table.name}_${name}`);
    return `CREATE INDEX IF NOT EXISTS ${indexName} ON ${quoted(table.name)} (${columns.join(', ')})`;
  });
}

/** Cells as one text: equal cells and only equal cells have the same. */
export function cellsText(cells: readonly Cell[]): string {
  if (cells.length === 1 && typeof cells[0] === 'string') return `"${cells[0]}`;
  let text = '';
  for (const cell of cells) {
    if (typeof cell === 'string') text += `${cell.length}:${cell}`;
    else if (cell instanceof Uint8Array) text += `x${Buffer.from(cell).toString('hex')},`;
    else text += `${cell},`;
  }
  return text;
}

/** Where rows of a table are put aside while a generation is built; see `staged-rows.ts`. */
export function stageName(table: Table): string {
  return `"annals_staged_${quoted(table.name).slice(1)}`;
}

/** How often the rows put aside for each table were merged: sequences begin anew each time. */
export const stagesTable = 'annals_stages';

function stageSql(table: Table): string {
  const columns = [
    'annals_sequence INTEGER PRIMARY KEY',
    ...columnSql(table),
    'annals_deleted INTEGER',
  ];
  const stage = stageName(table);
  const deletions = `"annals_deletions_${quoted(table.name).slice(1)}`;
  return `CREATE TABLE ${stage} (${columns.join(', ')}) STRICT;
    CREATE INDEX ${deletions} ON ${stage} (annals_deleted) WHERE annals_deleted = 1;
    INSERT INTO ${stagesTable} VALUES ('${table.name}', 0)`;
}

/** The marker: without it a file is not a generation. `instance` tells two files of one generation apart. */
export function createMarker(database: DatabaseSync, spec: GenerationSpec): void {
  database.exec(
    `CREATE TABLE annals_marker (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       format INTEGER NOT NULL,
       instance TEXT NOT NULL,
       spec TEXT NOT NULL
     ) STRICT`,
  );
  database
    .prepare('INSERT INTO annals_marker (only, format, instance, spec) VALUES (1, ?, ?, ?)')
    .run(formatVersion, randomUUID(), JSON.stringify(spec));
}

export interface Marker {
  readonly instance: string;
  readonly spec: GenerationSpec;
}

/** The marker of a file, or undefined when it has none (or one of another format). */
export function readMarker(database: DatabaseSync): Marker | undefined {
  const found = database
    .prepare(
      `SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table' AND name = 'annals_marker'`,
    )
    .get();
  if (found?.n !== 1) return undefined;
  const row = database.prepare('SELECT format, instance, spec FROM annals_marker').get();
  if (!row || row.format !== formatVersion) return undefined;
  return { instance: String(row.instance), spec: JSON.parse(String(row.spec)) };
}

export function createState(database: DatabaseSync, spec: GenerationSpec): void {
  database.exec(
    `CREATE TABLE annals_workers (
       worker INTEGER PRIMARY KEY,
       epoch INTEGER NOT NULL,
       holder TEXT,
       until INTEGER NOT NULL,
       checkpoint TEXT NOT NULL,
       tail TEXT NOT NULL,
       batches INTEGER NOT NULL DEFAULT 0,
       stayed TEXT
     ) STRICT;
     CREATE TABLE annals_state (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       building INTEGER NOT NULL,
       hold_at TEXT,
       hold_until INTEGER NOT NULL
     ) STRICT;
     INSERT INTO annals_state VALUES (1, 1, NULL, 0);
     CREATE TABLE annals_rank_groups (
       ranked TEXT NOT NULL,
       cells TEXT NOT NULL,
       root INTEGER NOT NULL,
       PRIMARY KEY (ranked, cells)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE annals_rank_nodes (id INTEGER PRIMARY KEY, node BLOB NOT NULL) STRICT;
     CREATE TABLE ${stagesTable} (
       name TEXT PRIMARY KEY,
       merges INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;`,
  );
  const insert = database.prepare(
    `INSERT INTO annals_workers VALUES (?, 0, NULL, 0, '', '', 0, NULL)`,
  );
  for (let worker = 0; worker < spec.workers; worker += 1) insert.run(worker);
  for (const table of spec.tables) database.exec(stageSql(table));
}

/** Files that were made before batches were counted begin to count where they are. */
export function countBatches(database: DatabaseSync): void {
  const counted = database.prepare(
    `SELECT count(*) AS n FROM pragma_table_info('annals_workers') WHERE name = 'batches'`,
  );
  if (counted.get()?.n === 1) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have come first.
    if (counted.get()?.n === 0) {
      database.exec('ALTER TABLE annals_workers ADD COLUMN batches INTEGER NOT NULL DEFAULT 0');
      database.exec('ALTER TABLE annals_workers ADD COLUMN stayed TEXT');
    }
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

/** A checkpoint as `encodeCheckpoint` wrote it; anything else means that the file is damaged. */
export function storedCheckpoint(text: unknown): Checkpoint {
  const checkpoint = decodeCheckpoint(String(text));
  if (!checkpoint) throw new Error(`the store holds no checkpoint: ${String(text)}`);
  return checkpoint;
}
