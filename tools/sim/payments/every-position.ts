import {
  ledgerProjection,
  paymentsEvents,
  paymentsProjection,
  walletsProjection,
} from '@annals/payments';
import {
  type AnyRecordedEvent,
  addedRow,
  type Cell,
  type Projection,
  type Row,
  type Rows,
} from '@annals/projection';
import { InvariantError } from '../trace.ts';
import { sameSums } from './invariants.ts';
import { type Fact, NaiveMarket } from './naive-market.ts';
import { postingsIn } from './twin-entries.ts';
import { openCipher, type World } from './world.ts';

const categories = /^(?:checkout|seller|settlement)-/;

/** The rows of a projection at one position, as its own handlers have put them. */
class RowsAt implements Rows {
  readonly #projection: Projection;
  readonly #tables = new Map<string, Map<string, Row>>();
  readonly #onChange: (table: string, before: Row | undefined, after: Row | undefined) => void;

  constructor(
    projection: Projection,
    onChange: (table: string, before: Row | undefined, after: Row | undefined) => void,
  ) {
    this.#projection = projection;
    this.#onChange = onChange;
  }

  table(name: string): Map<string, Row> {
    const known = this.#tables.get(name);
    if (known) return known;
    const table = new Map<string, Row>();
    this.#tables.set(name, table);
    return table;
  }

  get(table: string, key: readonly Cell[]): Row | undefined {
    return this.table(table).get(JSON.stringify(key));
  }

  put(table: string, row: Row): void {
    const { key = [] } = this.#projection.tables.find(({ name }) => name === table) ?? {};
    const text = JSON.stringify(key.map((column) => row[column]));
    this.#onChange(table, this.table(table).get(text), row);
    this.table(table).set(text, row);
  }

  delete(table: string, key: readonly Cell[]): void {
    const text = JSON.stringify(key);
    this.#onChange(table, this.table(table).get(text), undefined);
    this.table(table).delete(text);
  }

  add(...[table, key, addends, rest]: Parameters<Rows['add']>): void {
    const shape = this.#projection.tables.find(({ name }) => name === table);
    if (!shape) throw new TypeError(`there is no table ${table}`);
    this.put(table, addedRow(shape, key, this.get(table, key), addends, rest));
  }

  apply(event: AnyRecordedEvent): void {
    this.#projection.apply(event, this, this.#projection.touches(event));
  }
}

const walletParts = {
  pending: 'seller_pending',
  available: 'seller_available',
  reserved: 'seller_reserve',
  disputed: 'seller_disputed',
} as const;

/** Sums that follow the changes of rows, by `account currency` as the market by hand has them. */
class Sums {
  readonly all = new Map<string, bigint>();

  add(key: string, amount: bigint): void {
    this.all.set(key, (this.all.get(key) ?? 0n) + amount);
  }

  account(row: Row | undefined, sign: bigint): void {
    if (!row) return;
    for (const [held, prefix] of [
      ['posted', ''],
      ['pending', 'pending '],
    ] as const) {
      const debit = BigInt(String(row[`${held}_debit`]));
      const credit = BigInt(String(row[`${held}_credit`]));
      this.add(`${prefix}${row.account} ${row.currency}`, sign * (debit - credit));
    }
  }

  wallet(row: Row | undefined, sign: bigint): void {
    if (!row) return;
    for (const [part, kind] of Object.entries(walletParts)) {
      const key = `${kind}:${row.seller_account} ${row.currency}`;
      this.add(key, -sign * BigInt(String(row[part])));
    }
  }
}

/**
 * The projections, event by event: at every position of the log their rows say what the market by hand says there. Entries
 * and books are in balance, wallets are the sums of their accounts, every order and payout is there once and in its state,
 * and a checkout's state is that of its orders.
 */
export async function checkEveryPosition(world: World): Promise<void> {
  const { witness, storage } = world;
  const facts = witness.facts.filter(({ stream }) => categories.test(stream));
  const stored = facts.flatMap(({ stream, revision }) => storage.stream(stream)[revision] ?? []);
  const events = await paymentsEvents.decode(stored, openCipher(world));
  const market = new NaiveMarket();
  const [booked, held] = [new Sums(), new Sums()];
  let entry = 0n;
  const ledger = new RowsAt(ledgerProjection, (table, before, after) => {
    if (table === 'entries' && after) {
      for (const { side, amount } of postingsIn([after]))
        entry += side === 'debit' ? amount : -amount;
    }
    if (table !== 'accounts') return;
    booked.account(before, -1n);
    booked.account(after, 1n);
  });
  const wallets = new RowsAt(walletsProjection, (table, before, after) => {
    if (table !== 'wallets') return;
    held.wallet(before, -1n);
    held.wallet(after, 1n);
  });
  const payments = new RowsAt(paymentsProjection, () => undefined);
  for (const [index, event] of events.entries()) {
    const fact = facts[index] as Fact;
    market.apply(fact);
    entry = 0n;
    for (const rows of [ledger, wallets, payments]) rows.apply(event as AnyRecordedEvent);
    if (entry !== 0n) throw at(fact, 'balanced', `its entry is off by ${entry}`);
    sameSums('ledger', booked.all, market.balances);
    const ofSellers = [...market.balances].filter(([key]) => key.startsWith('seller_'));
    sameSums('wallet', held.all, new Map(ofSellers));
    balanced(fact, booked.all);
    sameStates(fact, market, payments);
  }
}

function at({ stream, revision }: Fact, invariant: string, detail: string): InvariantError {
  return new InvariantError(invariant, `at ${stream}@${revision}: ${detail}`);
}

function balanced(fact: Fact, sums: ReadonlyMap<string, bigint>): void {
  const totals = new Map<string, bigint>();
  for (const [key, sum] of sums) {
    const held = key.startsWith('pending ') ? 'pending ' : '';
    const total = `${held}${key.slice(key.lastIndexOf(' ') + 1)}`;
    totals.set(total, (totals.get(total) ?? 0n) + sum);
  }
  for (const [name, off] of totals) if (off !== 0n) throw at(fact, 'balanced', `${name} by ${off}`);
}

function pageStateOf(fold: string): string | undefined {
  return (JSON.parse(fold) as { readonly page?: { readonly state: string } }).page?.state;
}

function sameStates(fact: Fact, market: NaiveMarket, payments: RowsAt): void {
  const orders = payments.table('orders');
  if (orders.size !== market.orders.size) {
    throw at(fact, 'accepted', `${orders.size} of ${market.orders.size} orders`);
  }
  const same = (name: string, shown: unknown, known: unknown) => {
    if (shown !== known) throw at(fact, 'states', `${name} is ${shown}, and must be ${known}`);
  };
  for (const { checkout_id, payment_order_id, state } of orders.values()) {
    const name = `${checkout_id} ${payment_order_id}`;
    same(name, state, market.orders.get(name)?.state);
  }
  for (const { checkout_id, status, fold } of payments.table('checkouts').values()) {
    const id = String(checkout_id);
    same(id, status, market.statusOf(id));
    same(`the page of ${id}`, pageStateOf(String(fold)), market.pages.get(id)?.state);
  }
  for (const { seller_account, payout_id, state } of payments.table('payouts').values()) {
    const known = market.payouts.get(`${seller_account} ${payout_id}`)?.state;
    same(`payout ${payout_id}`, state === 'unknown' ? 'in-doubt' : state, known);
  }
}
