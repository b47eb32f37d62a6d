import type { Cell, Row, Table } from '@annals/projection';

/** One further order a table is kept in: a table of its own, whose partitions are sorted. */
export interface Order {
  /** Columns that are given when it is read: each group is sorted by itself. */
  readonly group: readonly string[];
  /** The columns sorted by, with the rest of the key behind them. */
  readonly sorted: readonly { readonly column: string; readonly desc: boolean }[];
}

/**
 * The orders of a table: one for each index, and by score within each group where it is ranked and no index is
 * grouped alike. An index that begins with the ranked group is grouped like it, another one of several
 * columns by its first. Orders that are the same are kept once.
 */
export function ordersOf(table: Table): readonly Order[] {
  const orders = new Map<string, Order>();
  const add = (order: Order) => orders.set(JSON.stringify(order), order);
  const { ranked } = table;
  for (const index of Object.values(table.indexes ?? {})) add(orderOfIndex(table, index));
  if (!ranked) return [...orders.values()];
  const isSorted = [...orders.values()].some(({ group }) => sameColumns(group, ranked.group));
  if (!isSorted) add(withKey(table, ranked.group, [{ column: ranked.score, desc: true }]));
  return [...orders.values()];
}

function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column, n) => column === b[n]);
}

export function orderOfIndex(table: Table, index: readonly string[]): Order {
  const terms = index.map((term) => ({
    column: term.replace(/ desc$/, ''),
    desc: term.endsWith(' desc'),
  }));
  const beginsWith = (columns: readonly string[]) =>
    columns.length > 0 &&
    columns.length < terms.length &&
    columns.every((column, n) => terms[n]?.column === column && !terms[n]?.desc);
  const first = index.slice(0, 1);
  const group = [table.ranked?.group ?? first, first].find(beginsWith) ?? [];
  return withKey(table, group, terms.slice(group.length));
}

function withKey(table: Table, group: readonly string[], sorted: Order['sorted']): Order {
  const named = new Set([...group, ...sorted.map(({ column }) => column)]);
  const rest = table.key.filter((column) => !named.has(column));
  return { group, sorted: [...sorted, ...rest.map((column) => ({ column, desc: false }))] };
}

export function orderColumns(order: Order): readonly string[] {
  return [...order.group, ...order.sorted.map(({ column }) => column)];
}

/** A row's cells in an order; undefined when one is null: such a row has no place in it. */
export function placeIn(order: Order, row: Row): readonly Cell[] | undefined {
  const cells = orderColumns(order).map((column) => row[column] ?? null);
  return cells.includes(null) ? undefined : cells;
}
