import type { Cell, Row, Table } from '@annals/projection';

/** One further order a table is kept in: a table of its own, whose partitions are sorted. */
export interface Order {
  /** Columns that are given when it is read: each group is sorted by itself. */
  readonly group: readonly string[];
  /** The columns sorted by, with the rest of the key behind them. */
  readonly sorted: readonly { readonly column: string; readonly desc: boolean }[];
}

/**
 * The orders of a table: by score within each group where it is ranked, and one for each index. An index
 * of several columns is grouped by its first one. Orders that are the same are kept once.
 */
export function ordersOf(table: Table): readonly Order[] {
  const orders = new Map<string, Order>();
  const add = (order: Order) => orders.set(JSON.stringify(order), order);
  const { ranked } = table;
  if (ranked) add(withKey(table, ranked.group, [{ column: ranked.score, desc: true }]));
  for (const index of Object.values(table.indexes ?? {})) add(orderOfIndex(table, index));
  return [...orders.values()];
}

export function orderOfIndex(table: Table, index: readonly string[]): Order {
  const terms = index.map((term) => ({
    column: term.replace(/ desc$/, ''),
    desc: term.endsWith(' desc'),
  }));
  const grouped = terms.length > 1 && !terms[0]?.desc ? 1 : 0;
  const group = terms.slice(0, grouped).map(({ column }) => column);
  return withKey(table, group, terms.slice(grouped));
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
