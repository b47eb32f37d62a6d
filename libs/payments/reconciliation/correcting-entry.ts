import type { CorrectingEntry, SettlementEvent, StoredBreak, StoredMovement } from './events.ts';
import type { Break } from './match-key.ts';
import type { Movement } from './movement.ts';

/** A posting as the journal has it. */
export interface CorrectingPosting {
  readonly account: string;
  readonly balance: 'posted';
  readonly amount: bigint;
  readonly side: 'debit' | 'credit';
}

/** The entry that mends a break by itself; undefined where a person must decide. */
export function correctionOf(found: StoredBreak): CorrectingEntry | undefined {
  const { outside, ledger, treatment } = found;
  if (treatment !== 'correct' || !outside || !ledger) return undefined;
  if (found.class === 'rounding') {
    const off = BigInt(outside.amount) - BigInt(ledger.amount);
    const lines = [line('psp_clearing', 'fx_difference', off)];
    return { currency: ledger.currency, lines, movements: [change(found, ledger, off, 0n)] };
  }
  if (found.class === 'fee_mismatch') {
    const off = BigInt(outside.fee) - BigInt(ledger.fee);
    const lines = [line('psp_fees', 'psp_clearing', off)];
    return { currency: ledger.currency, lines, movements: [change(found, ledger, 0n, off)] };
  }
  return undefined;
}

function line(debit: string, credit: string, off: bigint): CorrectingEntry['lines'][number] {
  return off > 0n
    ? { debit, credit, amount: String(off) }
    : { debit: credit, credit: debit, amount: String(-off) };
}

function change(
  { break_id }: StoredBreak,
  entry: StoredMovement,
  amount: bigint,
  fee: bigint,
): StoredMovement {
  const id = `correction-${break_id}`;
  return { ...entry, id, corrects: entry.id, amount: String(amount), fee: String(fee), waited: 0 };
}

/**
 * The journal entry of an event of reconciliation, in the form of the journal; undefined where it books nothing. Every
 * line debits as much as it credits, so an entry cannot be out of balance. Throws RangeError for an amount that
 * is not above zero.
 */
export function settlementJournalOf({
  type,
  data,
}: Pick<SettlementEvent, 'type' | 'data'>):
  | { readonly currency: string; readonly postings: readonly CorrectingPosting[] }
  | undefined {
  if (type !== 'break-corrected' && type !== 'break-resolved') return undefined;
  const { entry } = data as { readonly entry?: CorrectingEntry };
  if (!entry) return undefined;
  const postings = entry.lines.flatMap(({ debit, credit, amount: text }) => {
    const amount = BigInt(text);
    if (amount <= 0n) throw new RangeError(`${type}: an amount is not above zero`);
    return [
      { account: debit, balance: 'posted', amount, side: 'debit' } as const,
      { account: credit, balance: 'posted', amount, side: 'credit' } as const,
    ];
  });
  return { currency: entry.currency, postings };
}

/** What our side says in addition, because of an event of reconciliation: given to the next run with its entries. */
export function movementsOf({ type, data }: Pick<SettlementEvent, 'type' | 'data'>): Movement[] {
  if (type !== 'break-corrected' && type !== 'break-resolved') return [];
  const { entry } = data as { readonly entry?: CorrectingEntry };
  return (entry?.movements ?? []).map(fromStored);
}

export function fromStored({ amount, fee, corrects, ...rest }: StoredMovement): Movement {
  const amounts = { amount: BigInt(amount), fee: BigInt(fee) };
  return { ...rest, ...amounts, ...(corrects === undefined ? {} : { corrects }) };
}

function toStored({ amount, fee, ...rest }: Movement): StoredMovement {
  return { ...rest, amount: String(amount), fee: String(fee) };
}

export function storedBreak(breakId: string, found: Break): StoredBreak {
  const { outside, ledger, ...rest } = found;
  return {
    break_id: breakId,
    ...rest,
    ...(outside ? { outside: toStored(outside) } : {}),
    ...(ledger ? { ledger: toStored(ledger) } : {}),
  };
}
