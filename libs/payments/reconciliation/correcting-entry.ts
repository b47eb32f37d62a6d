import type { CorrectingEntry, SettlementEvent, StoredBreak, StoredMovement } from './events.ts';
import type { Break } from './match-key.ts';
import { bankStatuses, type Movement } from './movement.ts';

/** The entry that mends a break by itself; undefined where a person must decide. */
export function correctionOf(found: StoredBreak): CorrectingEntry | undefined {
  const { outside, ledger, treatment } = found;
  if (treatment !== 'correct' || !outside || !ledger) return undefined;
  if (found.class === 'rounding') {
    const off = BigInt(outside.amount) - BigInt(ledger.amount);
    const lines = [line(heldIn(ledger), 'fx_difference', off)];
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

/** Payouts are moved to the bank by the file as a whole: what is off about one of them is off there. */
function heldIn({ status }: Pick<StoredMovement, 'status'>): 'bank' | 'psp_clearing' {
  return bankStatuses.has(status) ? 'bank' : 'psp_clearing';
}

/** What these movements of ours are worth in the accounts that are compared with files. */
export function effectOf(movements: readonly StoredMovement[]): {
  readonly bank: bigint;
  readonly psp_clearing: bigint;
} {
  const effect = { bank: 0n, psp_clearing: 0n };
  for (const movement of movements) {
    effect[heldIn(movement)] += BigInt(movement.amount);
    effect.psp_clearing -= BigInt(movement.fee);
  }
  return effect;
}

/**
 * What our side must say in addition, in one currency, to agree with the other about a break; none where nothing of
 * ours stands or could stand opposite. An entry that mends it books as much.
 */
export function mendingMovements(found: StoredBreak, currency: string): StoredMovement[] {
  const { break_id, class: of, outside, ledger } = found;
  // Both sides of a balance are ours: neither is told what the other says.
  if (outside?.status === 'balance') return [];
  const added = outside && { ...outside, id: `resolution-${break_id}`, waited: 0 };
  const undone = ledger && change(found, ledger, -BigInt(ledger.amount), -BigInt(ledger.fee));
  const all = (): (StoredMovement | undefined)[] => {
    switch (of) {
      case 'missing_in_ledger':
      case 'duplicate_in_psp':
        return [added];
      case 'missing_in_psp':
      case 'duplicate_in_ledger':
        return [undone];
      case 'currency_mismatch':
      case 'status_mismatch':
        return [undone, added];
      case 'amount_mismatch':
      case 'rounding':
        return outside && ledger ? [change(found, ledger, off(outside, ledger, 'amount'), 0n)] : [];
      case 'fee_mismatch':
        return outside && ledger ? [change(found, ledger, 0n, off(outside, ledger, 'fee'))] : [];
      case 'timing':
      case 'unidentified_row':
        return [];
    }
  };
  return all().flatMap((one) => (one?.currency === currency ? [one] : []));
}

function off(outside: StoredMovement, ledger: StoredMovement, member: 'amount' | 'fee'): bigint {
  return BigInt(outside[member]) - BigInt(ledger[member]);
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

export function toStored({ amount, fee, ...rest }: Movement): StoredMovement {
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
