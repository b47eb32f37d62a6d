import { canonicalJson } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import {
  type GenerationDirectory,
  type GenerationSnapshot,
  memoryProjectionStore,
  openGeneration,
} from '@annals/projection';
import { InvariantError } from '../trace.ts';
import type { NaiveMarket } from './naive-market.ts';
import { postingsIn } from './twin-entries.ts';
import { rowsOf } from './twin-reads.ts';
import type { ProjectionName, World } from './world.ts';

type Row = { readonly [column: string]: unknown };

function must(holds: boolean, invariant: string, detail: string): void {
  if (!holds) throw new InvariantError(invariant, detail);
}

/** The live generation of a projection as it is on disk; undefined where there is none yet. */
export async function liveSnapshot(
  { clock, databases }: World,
  directory: GenerationDirectory,
  name: ProjectionName,
): Promise<GenerationSnapshot | undefined> {
  const live = directory.live(name);
  if (live === undefined) return undefined;
  const store = memoryProjectionStore({ clock, database: databases[name] });
  const found = await openGeneration(store, name, live);
  return found.kind === 'open' ? found.opened.snapshot() : undefined;
}

/** Every read model, at the checkpoint it has just now, says what the market by hand says of that checkpoint. */
export async function checkReadModels(world: World, directory: GenerationDirectory): Promise<void> {
  const ledger = await liveSnapshot(world, directory, 'ledger');
  if (ledger) await checkLedger(world.witness.marketAt(ledger.checkpoint), ledger);
  const wallets = await liveSnapshot(world, directory, 'wallets');
  if (wallets) await checkWallets(world.witness.marketAt(wallets.checkpoint), wallets);
  const payments = await liveSnapshot(world, directory, 'payments');
  if (payments) await checkPayments(world.witness.marketAt(payments.checkpoint), payments);
}

/** I1: each entry and the whole are in balance; every account holds what the events by hand say. */
async function checkLedger(market: NaiveMarket, snapshot: GenerationSnapshot): Promise<void> {
  const entries = new Map<string, bigint>();
  for (const one of postingsIn(await rowsOf(snapshot, 'entries'))) {
    const { stream, revision, balance, side, amount } = one;
    const key = `${stream}@${revision} ${balance}`;
    const signed = side === 'debit' ? amount : -amount;
    entries.set(key, (entries.get(key) ?? 0n) + signed);
  }
  for (const [key, off] of entries) must(off === 0n, 'balanced', `${key} is off by ${off}`);
  const sums = new Map<string, bigint>();
  for (const row of await rowsOf(snapshot, 'accounts')) {
    for (const held of ['posted', 'pending'] as const) {
      const key = `${held === 'pending' ? 'pending ' : ''}${row.account} ${row.currency}`;
      const sum = BigInt(String(row[`${held}_debit`])) - BigInt(String(row[`${held}_credit`]));
      sums.set(key, (sums.get(key) ?? 0n) + sum);
    }
  }
  sameSums('ledger', sums, market.balances);
  for (const held of ['', 'pending ']) {
    const total = new Map<string, bigint>();
    for (const [key, sum] of sums) {
      if (key.startsWith('pending ') !== (held !== '')) continue;
      const currency = key.slice(key.lastIndexOf(' ') + 1);
      total.set(currency, (total.get(currency) ?? 0n) + sum);
    }
    for (const [currency, off] of total) must(off === 0n, 'balanced', `${currency} by ${off}`);
  }
}

const parts = {
  pending: 'seller_pending',
  available: 'seller_available',
  reserved: 'seller_reserve',
  disputed: 'seller_disputed',
} as const;

/** I12: a wallet is the sum of its seller's accounts. */
async function checkWallets(market: NaiveMarket, snapshot: GenerationSnapshot): Promise<void> {
  const sums = new Map<string, bigint>();
  for (const row of await rowsOf(snapshot, 'wallets')) {
    for (const [part, kind] of Object.entries(parts)) {
      const key = `${kind}:${row.seller_account} ${row.currency}`;
      sums.set(key, (sums.get(key) ?? 0n) - BigInt(String(row[part])));
    }
  }
  const isWallet = ([key]: readonly [string, bigint]) => key.startsWith('seller_');
  sameSums('wallet', sums, new Map([...market.balances].filter(isWallet)));
}

export function sameSums(
  invariant: string,
  shown: ReadonlyMap<string, bigint>,
  naive: ReadonlyMap<string, bigint>,
): void {
  for (const key of new Set([...shown.keys(), ...naive.keys()])) {
    const [one, other] = [shown.get(key) ?? 0n, naive.get(key) ?? 0n];
    must(one === other, invariant, `${key} is ${one}, and must be ${other}`);
  }
}

/** I6 and I10: every order is there once, in the state its events say; a checkout's state is that of its orders. */
async function checkPayments(market: NaiveMarket, snapshot: GenerationSnapshot): Promise<void> {
  const orders = await rowsOf(snapshot, 'orders');
  must(
    orders.length === market.orders.size,
    'accepted',
    `${orders.length} of ${market.orders.size}`,
  );
  for (const { checkout_id, payment_order_id, state } of orders) {
    const key = `${checkout_id} ${payment_order_id}`;
    const known = market.orders.get(key)?.state;
    must(known === state, 'states', `${key} is ${state}, and must be ${known}`);
  }
  for (const { checkout_id, status } of await rowsOf(snapshot, 'checkouts')) {
    const known = market.statusOf(String(checkout_id));
    must(known === status, 'states', `${checkout_id} is ${status}, and must be ${known}`);
  }
  for (const { seller_account, payout_id, state, amount } of await rowsOf(snapshot, 'payouts')) {
    const known = market.payouts.get(`${seller_account} ${payout_id}`);
    const shown = state === 'unknown' ? 'in-doubt' : state;
    must(known?.state === shown, 'states', `payout ${payout_id} is ${state}, not ${known?.state}`);
    must(known?.amount === BigInt(String(amount)), 'states', `payout ${payout_id} is ${amount}`);
  }
}

/** Whether the live generations have seen all that is in the log. */
export async function haveCaughtUp(world: World, directory: GenerationDirectory): Promise<boolean> {
  for (const { name, categories } of world.projections) {
    const snapshot = await liveSnapshot(world, directory, name as ProjectionName);
    if (!snapshot) return false;
    const isCovered = world.witness.facts.every(({ stream, partition, position }) => {
      const category = stream.slice(0, stream.indexOf('-'));
      const place: Checkpoint = { [partition]: position };
      return !categories.includes(category) || coversAll(snapshot.checkpoint, place);
    });
    if (!isCovered) return false;
  }
  return true;
}

/** All rows of a generation as text, by table. */
export async function textOf(
  snapshot: GenerationSnapshot,
  tables: readonly { readonly name: string }[],
): Promise<string> {
  const all: [string, readonly Row[]][] = [];
  for (const { name } of tables) all.push([name, await rowsOf(snapshot, name)]);
  return canonicalJson(all as never);
}
