import type { SubjectCipher } from '@annals/core';
import type {
  EventType,
  EventTypes,
  PassOver,
  RecordedEvent,
  StoredEvent,
} from '@annals/event-log';

/** One value in a row. Integers are safe integers. */
export type Cell = string | number | null | Uint8Array;
export type Row = { readonly [column: string]: Cell };
export type ColumnType = 'text' | 'integer' | 'blob';

/** A table of a read model, as every store can keep it. */
export interface Table {
  readonly name: string;
  readonly columns: { readonly [column: string]: ColumnType };
  /** The columns that identify a row: never null, and together unique. */
  readonly key: readonly string[];
  /** Further orders to read the table in, by name; a column may be followed by ` desc`. */
  readonly indexes?: { readonly [name: string]: readonly string[] };
  /**
   * Keeps counts of the rows of each group by an integer column, so that "how many are above this
   * score" takes O(log n) however many rows there are.
   */
  readonly ranked?: { readonly group: readonly string[]; readonly score: string };
  /**
   * Columns that hold sums of integers, in the order of the columns: `integer`, or `text` where they may go beyond the
   * safe integers. A handler adds to them without reading them.
   */
  readonly sums?: readonly string[];
  /** Rows are only ever put, never read by a handler: the projector does not load them first. */
  readonly writeOnly?: boolean;
  /**
   * Each row is put by one event only, and once: write-only rows that stand for what an event says. The fold keeps
   * none of them in memory.
   */
  readonly putOnce?: boolean;
  /**
   * The key begins with the partition and the position of the event that puts the row: a store that sorts what
   * it puts aside while building need not, it comes in order.
   */
  readonly inLogOrder?: boolean;
}

/** What is added to a sum: an integer, as a bigint where it is no safe one. */
export type Addend = number | bigint;

/** The key of one row: a table's name and its key cells in the order of `Table.key`. */
export interface RowAddress {
  readonly table: string;
  readonly key: readonly Cell[];
}

/** The rows one event may read and write: those its `touches` named, and rows of write-only tables. */
export interface Rows {
  get(table: string, key: readonly Cell[]): Row | undefined;
  /** Writes the whole row, absolute values; its key is in its columns. */
  put(table: string, row: Row): void;
  delete(table: string, key: readonly Cell[]): void;
  /**
   * Adds to the sums of a row, one addend for each of `Table.sums`; a row that is not there has sums of 0. `rest` gives
   * the columns that are neither key nor sum; left out, they stay as they are. Exact, whatever the size.
   */
  add(table: string, key: readonly Cell[], addends: readonly Addend[], rest?: Row): void;
}

/**
 * How the work may be split over workers. `stream`: every row depends on one stream (or on streams of one
 * `shareKey`), so streams may be dealt out freely. `partition`: a row may depend on a whole partition of the log; such rows carry
 * the partition in their key and are summed on read.
 */
export type Split = 'stream' | 'partition';

/** `park`: a failing event and the later ones of its stream become dead letters. `halt`: the worker stops there. */
export type FailurePolicy = 'park' | 'halt';

/** What the runtime needs of an event, whatever its type. */
export type AnyRecordedEvent = Pick<
  StoredEvent,
  | 'id'
  | 'stream'
  | 'revision'
  | 'partition'
  | 'position'
  | 'type'
  | 'occurredAt'
  | 'recordedAt'
  | 'metadata'
> & { readonly erased: boolean; readonly data: unknown };

/** A projection as the runtime sees it. Made by `defineProjection`, which checks the handlers' types. */
export interface Projection {
  /** Lower-case words joined by `-`: names the read model in the CLI, in files and in metrics. */
  readonly name: string;
  /** Raised whenever rows would come out differently: a generation belongs to one version. */
  readonly version: number;
  readonly categories: readonly string[];
  readonly tables: readonly Table[];
  readonly split: Split;
  /**
   * For split `stream`, where a row depends on more than one stream: streams with the same key are
   * dealt to the same worker. The name of the stream unless told.
   */
  readonly shareKey?: (stream: string) => string;
  readonly onFailure: FailurePolicy;
  /** Event types that change no row, and up to which schema version that is known. */
  readonly passOver?: PassOver;
  decode(
    events: readonly StoredEvent[],
    cipher: SubjectCipher,
  ): Promise<readonly AnyRecordedEvent[]>;
  touches(event: AnyRecordedEvent): readonly RowAddress[];
  /** `touched` is what `touches` gave for this event. */
  apply(event: AnyRecordedEvent, rows: Rows, touched: readonly RowAddress[]): void;
}

// biome-ignore lint/suspicious/noExplicitAny: EventType is invariant in its schema; this is "any of them".
type AnyEventType = EventType<string, any, any>;

/** What to do with one event type: which rows it touches, and the fold. Pure; knows no clock and no I/O. */
export interface Handler<Event, Address extends RowAddress = RowAddress> {
  readonly touches: (event: Event) => readonly Address[];
  /** `touched` is what `touches` gave: what it has worked out goes along with the addresses. */
  apply(event: Event, rows: Rows, touched: readonly Address[]): void;
}

export interface ProjectionDefinition<T extends AnyEventType>
  extends Pick<
    Projection,
    'name' | 'version' | 'categories' | 'tables' | 'split' | 'shareKey' | 'onFailure'
  > {
  readonly types: EventTypes<T>;
  /** One for each event type in `types`; `'ignored'` says on purpose that an event changes no row. */
  readonly handlers: {
    readonly [Name in T['name']]:
      | Handler<Extract<RecordedEvent<T>, { readonly type: Name }>>
      | 'ignored';
  };
}

/** Throws a TypeError for a definition that cannot work: a bug, found as the program starts. */
export function defineProjection<T extends AnyEventType>(
  definition: ProjectionDefinition<T>,
): Projection {
  const { types, handlers, ...described } = definition;
  const problem = definitionProblem(described) ?? described.tables.map(tableProblem).find(Boolean);
  if (problem) throw new TypeError(`projection ${described.name}: ${problem}`);
  const handlerOf = (event: AnyRecordedEvent) =>
    handlers[event.type as T['name']] as Handler<AnyRecordedEvent> | 'ignored';
  return {
    ...described,
    passOver: Object.fromEntries(
      types.names
        .filter((name) => handlers[name as T['name']] === 'ignored')
        .map((name) => [name, types.versionOf(name)]),
    ),
    decode: async (events, cipher) => {
      // What changes no row is not read: most of all, what is sealed in it is not opened.
      const isRead = (event: StoredEvent) =>
        handlers[event.type as T['name']] !== 'ignored' || !types.knows(event);
      if (events.every(isRead)) return types.decode(events, cipher);
      const read = await types.decode(events.filter(isRead), cipher);
      let next = 0;
      return events.map((event) =>
        isRead(event) ? (read[next++] as AnyRecordedEvent) : unread(event),
      );
    },
    touches: (event) => {
      const handler = handlerOf(event);
      return handler === 'ignored' ? [] : handler.touches(event);
    },
    apply: (event, rows, touched) => {
      const handler = handlerOf(event);
      if (handler !== 'ignored') handler.apply(event, rows, touched);
    },
  };
}

/** An event that no handler looks at, as far as it is known without reading its data. */
function unread(event: StoredEvent): AnyRecordedEvent {
  return { ...event, erased: false, data: {} };
}

const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const columnPattern = /^[a-z][a-z0-9_]*$/;
/** Every generation has this table beside those of its projection. */
const reservedTable = 'dead_letters';

function definitionProblem(
  described: Omit<Projection, 'decode' | 'touches' | 'apply' | 'passOver'>,
): string | undefined {
  const { name, version, categories, tables, split, onFailure } = described;
  if (!namePattern.test(name)) return 'its name is not lower-case words joined by -';
  if (!Number.isSafeInteger(version) || version < 1) return `${version} is not a version`;
  if (categories.length === 0) return 'it follows no category';
  if (tables.length === 0) return 'it has no table';
  const names = tables.map((table) => table.name);
  if (names.includes(reservedTable)) return `the table ${reservedTable} is made by the runtime`;
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice) return `it has two tables ${twice}`;
  if (onFailure === 'park' && split !== 'stream') {
    return 'it may park events only where each row depends on one stream';
  }
  return undefined;
}

function tableProblem(table: Table): string | undefined {
  const { name, columns, key, indexes = {}, ranked, writeOnly, putOnce } = table;
  const bad = [name, ...Object.keys(columns)].find((one) => !columnPattern.test(one));
  if (bad !== undefined) return `${bad} is no name for a table or a column`;
  if (key.length === 0) return `table ${name} has no key`;
  const ordered = Object.values(indexes).flatMap((order) =>
    order.map((column) => column.replace(/ desc$/, '')),
  );
  const counted = ranked ? [...ranked.group, ranked.score] : [];
  const unknown = [...key, ...ordered, ...counted].find((column) => !(column in columns));
  if (unknown !== undefined) return `table ${name} has no column ${unknown}`;
  const { sums = [] } = table;
  const summed = Object.keys(columns).filter((column) => sums.includes(column));
  if (summed.join() !== sums.join() || sums.some((one) => key.includes(one))) {
    return `the sums of table ${name} are not columns beside its key, in their order`;
  }
  if (ranked && columns[ranked.score] !== 'integer') {
    return `table ${name}: the score ${ranked.score} is not an integer`;
  }
  if (putOnce && !writeOnly) return `table ${name} is put once and not write-only`;
  return undefined;
}
