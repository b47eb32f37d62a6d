import type { MarketCaller } from './market-caller.ts';
import type { PspBooks, Referenced } from './psp-books.ts';

/** Our books and the provider's, both as they are told over HTTP; and what is wrong between them, in words. */

export interface OurOrder {
  readonly checkout_id: string;
  readonly payment_order_id: string;
  readonly state: string;
  readonly captured: string;
  readonly authorized: string;
  readonly currency: string;
  readonly refunds: readonly {
    readonly refund_id: string;
    readonly amount: string;
    readonly state: string;
  }[];
}

export interface OurPayout {
  readonly seller_account: string;
  readonly payout_id: string;
  readonly amount: string;
  readonly currency: string;
  readonly state: string;
}

/** What contradicts "charged once where it is captured in our books, refunded once, paid out once, and nothing else". */
export function contradictions(
  orders: readonly OurOrder[],
  payouts: readonly OurPayout[],
  psp: PspBooks,
): readonly string[] {
  const wrong: string[] = [];
  const intents = byReference(psp.intents, (reference) => reference.replace(/~\d+$/, ''));
  const intentOf = new Map(psp.intents.map((intent) => [intent.id, intent]));
  const charges = new Map<string, number>();
  for (const { payment_intent: id, paid, captured } of psp.charges) {
    const of = intentOf.get(id)?.metadata.annals_reference?.replace(/~\d+$/, '') ?? id;
    if (paid && captured) charges.set(of, (charges.get(of) ?? 0) + 1);
  }
  const refunds = byReference(psp.refunds);
  const ours = new Set<string>();
  for (const order of orders) {
    const { checkout_id, payment_order_id, captured, currency } = order;
    const name = `${checkout_id}~${payment_order_id}`;
    ours.add(`p~${name}`);
    const all = intents.get(`p~${name}`) ?? [];
    const taken = all.filter(({ status }) => status === 'succeeded');
    const held = all.filter(({ status }) => ['requires_capture', 'processing'].includes(status));
    const expected = captured === '0' ? [] : [`${captured} ${currency}`];
    const found = taken.map((one) => `${one.amount_received} ${one.currency.toUpperCase()}`);
    if (String(found) !== String(expected)) wrong.push(`${name}: ${found}, not ${expected}`);
    if ((charges.get(`p~${name}`) ?? 0) !== expected.length) wrong.push(`${name}: charges`);
    if (held.length > 0) wrong.push(`${name}: ${held.length} authorizations are left`);
    if (order.authorized !== '0') wrong.push(`${name}: ${order.authorized} is left authorized`);
    for (const refund of order.refunds) {
      const reference = `r~${name}~${refund.refund_id}`;
      ours.add(reference);
      wrong.push(...differing(reference, refund, refunds.get(reference), currency));
    }
  }
  const paidOut = byReference(psp.payouts);
  for (const { seller_account, payout_id, currency, ...payout } of payouts) {
    const reference = `o~${seller_account}~${payout_id}`;
    ours.add(reference);
    wrong.push(...differing(reference, payout, paidOut.get(reference), currency));
  }
  for (const reference of [...intents.keys(), ...refunds.keys(), ...paidOut.keys()]) {
    if (!ours.has(reference)) wrong.push(`the provider alone has ${reference}`);
  }
  return wrong;
}

/** Ours was carried out once, in this amount, and the provider has no other of this name. */
function differing(
  reference: string,
  ours: { readonly amount: string; readonly state: string },
  theirs: readonly Referenced[] = [],
  currency: string,
): readonly string[] {
  const found = theirs.map((one) => `${one.amount} ${one.currency.toUpperCase()} ${one.status}`);
  const expected = `${ours.amount} ${currency} ${ours.state}`;
  return found.length === 1 && found[0] === expected
    ? []
    : [`${reference}: ${found.join(' and ') || 'nothing'}, not ${expected}`];
}

function byReference<Item extends Referenced>(
  items: readonly Item[],
  named = (reference: string) => reference,
): ReadonlyMap<string, Item[]> {
  const found = new Map<string, Item[]>();
  for (const item of items) {
    const name = named(item.metadata.annals_reference ?? `nobody: ${item.id}`);
    found.set(name, [...(found.get(name) ?? []), item]);
  }
  return found;
}

interface Sums {
  readonly currency: string;
  readonly posted_debit: string;
  readonly posted_credit: string;
  readonly pending_debit: string;
  readonly pending_credit: string;
}

export interface Ledger {
  /** What each account and currency holds: posted credits less debits. */
  readonly posted: ReadonlyMap<string, bigint>;
  readonly pending: ReadonlyMap<string, bigint>;
  /** Debits less credits of all, by currency and balance: nothing but zeros. */
  readonly trial: ReadonlyMap<string, bigint>;
}

export async function readLedger(caller: MarketCaller, position: string): Promise<Ledger> {
  const min = `min-position=${encodeURIComponent(position)}`;
  const posted = new Map<string, bigint>();
  const pending = new Map<string, bigint>();
  for (let cursor = ''; ; ) {
    const page = await caller.read(`/v1/ledger/accounts?limit=100&${min}${cursor}`);
    for (const row of page.data as (Sums & { readonly account: string })[]) {
      const name = `${row.account} ${row.currency}`;
      posted.set(name, BigInt(row.posted_credit) - BigInt(row.posted_debit));
      pending.set(name, BigInt(row.pending_credit) - BigInt(row.pending_debit));
    }
    if (page.next_cursor === null) break;
    cursor = `&cursor=${page.next_cursor}`;
  }
  const trial = new Map<string, bigint>();
  const { data } = await caller.read(`/v1/ledger/trial_balance?${min}`);
  for (const row of data as Sums[]) {
    for (const balance of ['posted', 'pending'] as const) {
      const sum = BigInt(row[`${balance}_debit`]) - BigInt(row[`${balance}_credit`]);
      const name = `${row.currency} ${balance}`;
      trial.set(name, (trial.get(name) ?? 0n) + sum);
    }
  }
  return { posted, pending, trial };
}

/** A seller's wallets, named as the ledger names its accounts. */
export async function readWallets(
  caller: MarketCaller,
  seller: string,
  position: string,
): Promise<ReadonlyMap<string, bigint>> {
  const min = `min-position=${encodeURIComponent(position)}`;
  const { wallets } = await caller.read(`/v1/wallets/${seller}?${min}`);
  const held = new Map<string, bigint>();
  for (const { currency, available, pending, reserved, disputed } of wallets) {
    held.set(`seller_available:${seller} ${currency}`, BigInt(available));
    held.set(`seller_pending:${seller} ${currency}`, BigInt(pending));
    held.set(`seller_reserve:${seller} ${currency}`, BigInt(reserved));
    held.set(`seller_disputed:${seller} ${currency}`, BigInt(disputed));
  }
  return held;
}
