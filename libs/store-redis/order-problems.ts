import type { Clock } from '@annals/core';
import type { Cell } from '@annals/projection';
import { bucketsOf, keysOf, ownOrders } from './finish-building.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { checkMembersScript, checkRowsScript } from './order-scripts.ts';
import type { Order } from './orders.ts';
import { KeyList, ListWriter } from './piece-writer.ts';
import { rangeProblems } from './range-problems.ts';
import { listOf, textOf } from './replies.ts';
import type { Shards } from './shards.ts';
import type { TableLayout } from './table-layout.ts';

/**
 * Compares rows and orders in both directions, some at a time, each in one step of the server: commits
 * that go on meanwhile change nothing about what is right.
 */
export async function orderProblems(shards: Shards, clock: Clock): Promise<string[]> {
  const problems: string[] = [];
  for (const layout of shards.layouts) {
    if (layout.orders.length === 0) continue;
    if (layout.hasRanges) problems.push(...(await rangeProblems(shards, layout, clock)));
    if (!layout.ranged.includes(false)) continue;
    await checkRows(shards, layout, problems);
    for (const [number, order] of layout.orders.entries()) {
      if (layout.ranged[number]) continue;
      await checkMembers(shards, layout, { order, number: number + 1 }, problems);
    }
  }
  return problems;
}

async function checkRows(shards: Shards, layout: TableLayout, problems: string[]): Promise<void> {
  for await (const { names, bucket } of bucketsOf(shards, layout)) {
    const keys = [bucket, ...layout.orderKeys(bucket)].map((key) => names.tag + key);
    let cursor = '0';
    do {
      const args = [cursor, limits.rankPageRows, ownOrders(layout)];
      const [, next = null, ...bad] = await shards.run(names, checkRowsScript, keys, args);
      for (const field of new Set(bad.map(textOf))) {
        const key = JSON.stringify(layout.keyOf(bucket, field));
        tell(problems, `${layout.table.name} ${key} is not in its place in an order`);
      }
      cursor = textOf(next);
    } while (cursor !== '0' && problems.length < limits.problemsMax);
  }
}

function tell(problems: string[], problem: string): void {
  if (problems.length < limits.problemsMax) problems.push(problem);
}

interface NumberedOrder {
  readonly order: Order;
  /** From 1: its place in the values of rows. */
  readonly number: number;
}

async function checkMembers(
  shards: Shards,
  layout: TableLayout,
  numbered: NumberedOrder,
  problems: string[],
): Promise<void> {
  for await (const { names, bucket: order } of keysOf(shards, numbered.order.prefix)) {
    let cursor = '0';
    do {
      const key = names.tag + order;
      const reply = await shards.connection.call('ZSCAN', key, cursor, 'COUNT', limits.scanCount);
      const [next = null, pairs = null] = listOf(reply);
      const members = (listOf(pairs) as readonly Buffer[]).filter((_, n) => n % 2 === 0);
      if (members.length > 0) {
        await checkPage(shards, layout, { ...numbered, names, key: order }, members, problems);
      }
      cursor = textOf(next);
    } while (cursor !== '0' && problems.length < limits.problemsMax);
  }
}

async function checkPage(
  shards: Shards,
  layout: TableLayout,
  { order, number, names, key }: NumberedOrder & { names: ShardNames; key: string },
  members: readonly Buffer[],
  problems: string[],
): Promise<void> {
  const keys = new KeyList(2);
  const list = new ListWriter();
  const all = list.begin();
  const group = order.groupOf(key);
  for (const member of members) {
    const cells: { [column: string]: Cell } = {};
    order.read(0, member, cells);
    for (const [n, column] of order.group.entries()) cells[column] = group[n] as Cell;
    const { bucket, field } = layout.place(layout.table.key.map((column) => cells[column] as Cell));
    list.end(list.begin(), 3);
    list.number(keys.numberOf(bucket));
    list.text(field);
    list.bytes(member);
  }
  list.end(all, members.length);
  const [, ...bad] = await shards.run(
    names,
    checkMembersScript,
    [key, ...keys.names].map((one) => names.tag + one),
    [number, list.cells.take()],
  );
  for (const field of bad.map(textOf)) {
    tell(problems, `${layout.table.name}: ${order.name} has a place for no row (${field})`);
  }
}
