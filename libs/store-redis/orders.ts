import type { Cell, ColumnType, Row, Table } from '@annals/projection';
import { CellReader, type CellWriter, cellText, readCells } from './cells.ts';

interface RestColumn {
  readonly column: string;
  readonly type: ColumnType;
  readonly descending: boolean;
}

/**
 * A further order of a table, kept as a sorted set for each group: leading key columns, then (where it
 * is an integer) the column that is the score, then the rest as a member whose bytes sort as the cells
 * do. Ascending in the set is first to last in the order, so a row's place is 1 + ZCOUNT of what is
 * before it; a column that goes down (`desc`) has its score negated, or its bytes inverted.
 */
export class Order {
  readonly name: string;
  readonly group: readonly string[];
  readonly score: string | undefined;
  readonly descending: boolean;
  /** The columns outside of the key that a row's place in the order holds. */
  readonly columns: readonly string[];
  /** What the keys of its sets begin with, behind the shard's tag. */
  readonly prefix: string;
  readonly #groupTypes: readonly ColumnType[];
  readonly #rest: readonly RestColumn[];
  /** The last column stands in the member as it is: text of the key, which is never null. */
  readonly #lastIsRaw: boolean;

  constructor(table: Table, number: number, name: string, shape: OrderShape) {
    this.name = name;
    this.group = shape.group;
    this.score = shape.score?.column;
    this.descending = shape.score?.descending ?? false;
    this.prefix = `z${number}.${name}:`;
    this.#groupTypes = shape.group.map((column) => table.columns[column] as ColumnType);
    const held = new Set([...shape.group, this.score, ...shape.rest.map(({ column }) => column)]);
    const missing = table.key.filter((column) => !held.has(column));
    this.#rest = [...shape.rest, ...missing.map((column) => ({ column, descending: false }))].map(
      (one) => ({ ...one, type: table.columns[one.column] as ColumnType }),
    );
    const last = this.#rest.at(-1);
    this.#lastIsRaw = last?.type === 'text' && !last.descending && table.key.includes(last.column);
    this.columns = [this.score, ...this.#rest.map(({ column }) => column)].filter(
      (column): column is string => column !== undefined && !table.key.includes(column),
    );
  }

  /** What follows the shard's tag in the key of a group's set; `groupText` may go on after the group. */
  keyOf(groupText: string): string {
    const { end } = readCells(groupText, this.#groupTypes);
    return this.prefix + groupText.slice(0, end);
  }

  keyOfGroup(group: readonly Cell[]): string {
    return this.prefix + group.map(cellText).join('');
  }

  /** The cells of a group, from the key of its set. */
  groupOf(key: string): Cell[] {
    return readCells(key.slice(this.prefix.length), this.#groupTypes).cells;
  }

  /** Undefined where the row has no place: its score is null. */
  scoreOf(row: Row): number | undefined {
    if (this.score === undefined) return 0;
    const score = row[this.score] as number | null;
    if (score === null) return undefined;
    return this.descending ? 0 - score : score + 0;
  }

  /** A value of the score's column as the set sorts it. Never -0. */
  ranked(value: number): number {
    return this.descending ? 0 - value : value + 0;
  }

  writeMember(row: Row, to: CellWriter): void {
    for (let n = 0; n < this.#rest.length; n += 1) {
      const { column, descending } = this.#rest[n] as RestColumn;
      const cell = row[column] as Cell;
      if (this.#lastIsRaw && n === this.#rest.length - 1) to.text(cell as string);
      else {
        const start = to.length;
        to.order(cell);
        if (descending) to.invert(start);
      }
    }
  }

  /** Puts the cells that a place in the order holds into `row`. */
  read(score: number, member: Buffer, row: { [column: string]: Cell }): void {
    if (this.score !== undefined) row[this.score] = this.ranked(score);
    const cells = new CellReader(member);
    for (const [n, { column, type, descending }] of this.#rest.entries()) {
      if (this.#lastIsRaw && n === this.#rest.length - 1) row[column] = cells.rest().toString();
      else row[column] = cells.ordered(type, descending);
    }
  }
}

interface OrderShape {
  readonly group: readonly string[];
  readonly score: { readonly column: string; readonly descending: boolean } | undefined;
  readonly rest: readonly { readonly column: string; readonly descending: boolean }[];
}

/**
 * The orders of a table: its indexes, and one for its ranked counts where no index has their group and
 * a score. Throws a TypeError where the ranked group is not made of leading key columns: then the rows
 * of a bucket would be of several groups.
 */
export function ordersOf(table: Table, number: number): Order[] {
  const before = new Set(table.key.slice(0, -1));
  const orders = Object.entries(table.indexes ?? {}).map(([name, columns]) => {
    return new Order(table, number, name, shapeOf(table, columns, before));
  });
  const { ranked } = table;
  if (!ranked) return orders;
  const stranger = ranked.group.find((column, n) => column !== table.key[n] || !before.has(column));
  if (stranger !== undefined) {
    throw new TypeError(
      `${table.name}: Redis ranks within groups of leading key columns only, not ${stranger}`,
    );
  }
  if (orders.some((order) => order.score !== undefined && sameList(order.group, ranked.group))) {
    return orders;
  }
  const score = { column: ranked.score, descending: false };
  return [...orders, new Order(table, number, 'ranked', { group: ranked.group, score, rest: [] })];
}

function shapeOf(table: Table, terms: readonly string[], before: ReadonlySet<string>): OrderShape {
  const columns = terms.map((term) => {
    const [column, direction] = term.split(' ') as [string, string | undefined];
    return { column, descending: direction === 'desc' };
  });
  let end = 0;
  // The group must stand in the row's key in this order, so that one bucket has one group.
  while (columns[end]?.column === table.key[end] && before.has(columns[end]?.column ?? ''))
    end += 1;
  const group = columns.slice(0, end).map(({ column }) => column);
  const next = columns[end];
  const isScore = next !== undefined && table.columns[next.column] === 'integer';
  return {
    group,
    score: isScore ? next : undefined,
    rest: columns.slice(isScore ? end + 1 : end),
  };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
