import type { BankRow } from './bank-csv.ts';
import { reconciliationLimits as limits } from './limits.ts';
import type { SettlementRow } from './settlement-csv.ts';

/** One move of money as one side tells it: a line of a file, or an entry of our ledger. */
export interface Movement {
  /** What both sides know it by: the provider's id of the payment, refund, dispute or payout. */
  readonly key: string;
  /** What happened to it: one key may have been captured, disputed and won. */
  readonly status: MovementStatus;
  readonly currency: string;
  /** Minor units; below zero where money leaves us. */
  readonly amount: bigint;
  readonly fee: bigint;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The side's own id: of the line's balance transaction, or of our entry. */
  readonly id: string;
  /** The entry of ours that this one corrects: their amounts and fees are summed before they are compared. */
  readonly corrects?: string;
  /** Files it has waited for already. */
  readonly waited: number;
}

export const movementStatuses = [
  'captured',
  'refund_pending',
  'refunded',
  'refund_failed',
  'dispute_opened',
  'dispute_won',
  'paid_out',
  'payout_returned',
  'topped_up',
  'provider_fee',
  'balance',
] as const;
export type MovementStatus = (typeof movementStatuses)[number];

const statusOfCategory: ReadonlyMap<string, MovementStatus> = new Map([
  ['charge', 'captured'],
  ['refund', 'refunded'],
  ['refund_failure', 'refund_failed'],
  ['dispute', 'dispute_opened'],
  ['dispute_reversal', 'dispute_won'],
  ['payout', 'paid_out'],
  ['payout_reversal', 'payout_returned'],
  ['topup', 'topped_up'],
  ['topup_reversal', 'topped_up'],
  ['fee', 'provider_fee'],
]);

/** What moves between the provider and our bank. */
export const bankStatuses: ReadonlySet<MovementStatus> = new Set([
  'paid_out',
  'payout_returned',
  'topped_up',
]);

/** Nothing has moved by our books yet; the provider's file may have it already. */
export const announced: ReadonlySet<MovementStatus> = new Set(['refund_pending']);

/** What only the provider tells: no entry of ours stands opposite before the file is booked. */
export const toldByProvider: ReadonlySet<MovementStatus> = new Set(['topped_up', 'provider_fee']);

/** What a line of a settlement file says of our money; undefined where its category means nothing to us. */
export function movementOfSettlement(row: SettlementRow): Movement | undefined {
  const status = statusOfCategory.get(row.category);
  if (!status) return undefined;
  const { currency, gross: amount, fee, createdAt: at, id } = row;
  const key = status === 'captured' ? row.paymentIntentId || row.sourceId : row.sourceId;
  return { key, status, currency, amount, fee, at, id, waited: 0 };
}

/**
 * What a line of a bank statement says of a payout; undefined without our reference, and where it is not booked
 * yet: it will be in a later statement.
 */
export function movementOfBank(row: BankRow): Movement | undefined {
  if (row.reference === '') return undefined;
  const { reference: key, currency, amount, bookedAt: at, id } = row;
  const status = row.status === 'returned' || amount > 0n ? 'payout_returned' : 'paid_out';
  return { key, status, currency, amount, fee: 0n, at, id, waited: 0 };
}

/** Which file or model a movement comes from. */
export type Side = 'outside' | 'ledger';

/** One line of text, for scratch files: lines of one key stand together when they are sorted. */
export function encodeMovement(side: Side, movement: Movement): string {
  const { key, status, currency, amount, fee, at, id, corrects = '', waited } = movement;
  const mark = side === 'outside' ? 'o' : 'l';
  return `${escaped(key)}\t${status}\t${mark}\t${currency}\t${amount}\t${fee}\t${at}\t${escaped(id)}\t${escaped(corrects)}\t${waited}`;
}

export function decodeMovement(line: string): { readonly side: Side; readonly movement: Movement } {
  const [
    key = '',
    status,
    mark,
    currency = '',
    amount = '',
    fee = '',
    at,
    id = '',
    corrects,
    waited,
  ] = line.split('\t');
  const movement: Movement = {
    key: unescaped(key),
    status: status as MovementStatus,
    currency,
    amount: BigInt(amount),
    fee: BigInt(fee),
    at: Number(at),
    id: unescaped(id),
    ...(corrects ? { corrects: unescaped(corrects) } : {}),
    waited: Number(waited),
  };
  return { side: mark === 'o' ? 'outside' : 'ledger', movement };
}

/** The key of an encoded line as it stands: equal for equal keys. */
export function encodedKey(line: string): string {
  return line.slice(0, line.indexOf('\t'));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a line must not hold.
const special = /[\u0000-\u001f%]/;

function escaped(text: string): string {
  if (text.length > limits.idCharsMax) throw new RangeError('an id is too long');
  return special.test(text) ? encodeURIComponent(text) : text;
}

function unescaped(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text;
}
