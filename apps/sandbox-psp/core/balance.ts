import type { Books, Fees } from './books.ts';
import type { BalanceTransaction, BalanceTransactionType, ReportingCategory } from './objects.ts';

/** The number of decimals by which Stripe counts a currency. */
export function exponentOf(currency: string): number {
  if (zeroDecimals.has(currency)) return 0;
  return threeDecimals.has(currency) ? 3 : 2;
}

const zeroDecimals: ReadonlySet<string> = new Set(
  'bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '),
);
const threeDecimals: ReadonlySet<string> = new Set('bhd jod kwd omr tnd'.split(' '));

const currencies: ReadonlySet<string> = new Set(
  Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()),
);

export function isCurrency(text: string): boolean {
  return currencies.has(text);
}

/** The sandbox's fee of a charge, in minor units. */
export function chargeFee(fees: Fees, amount: number, currency: string): number {
  const percent = Number((BigInt(amount) * BigInt(fees.percentBasisPoints) + 5_000n) / 10_000n);
  const fee = percent + (fees.fixedByExponent[exponentOf(currency)] ?? 0);
  return wholeOnly.has(currency) ? Math.round(fee / 100) * 100 : fee;
}

/** Counted with two decimals that are always 0. */
const wholeOnly: ReadonlySet<string> = new Set(['isk', 'ugx']);

export function disputeFee(fees: Fees, currency: string): number {
  return fees.disputeByExponent[exponentOf(currency)] ?? 0;
}

export interface Move {
  readonly amount: number;
  readonly fee?: number;
  readonly currency: string;
  readonly type: BalanceTransactionType;
  readonly category: ReportingCategory;
  readonly source: string;
  readonly description?: string;
}

/** Every move of the balance is one of these, and the balance is their sum: written together. */
export function moveBalance(books: Books, move: Move): BalanceTransaction {
  const { amount, fee = 0, currency, type, category, source, description = null } = move;
  const transaction: BalanceTransaction = {
    id: books.idOf('balance_transaction'),
    object: 'balance_transaction',
    amount,
    available_on: books.now,
    created: books.now,
    currency,
    description,
    fee,
    livemode: false,
    net: amount - fee,
    reporting_category: category,
    source,
    status: 'available',
    type,
  };
  books.storage.insert('balance_transaction', transaction, source);
  books.storage.moveBalance(currency, transaction.net);
  return transaction;
}

export function balanceObject(books: Books): object {
  const available = [...books.storage.balances()].map(([currency, amount]) => ({
    amount,
    currency,
    source_types: { card: amount },
  }));
  return { object: 'balance', available, livemode: false, pending: [] };
}
