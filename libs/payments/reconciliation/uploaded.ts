import { idFromKey } from '@annals/core';
import { settledRules } from '../journal.ts';
import { isCurrency, money, shownMoney } from '../money.ts';
import { correctionOf } from './correcting-entry.ts';
import { cleared, event, isOpen, named, type OfDay } from './day-events.ts';
import type { CorrectingEntry, SettlementEvent, StoredBreak, StoredSettled } from './events.ts';
import type { SettlementDay, TrackedBreak } from './state.ts';

/**
 * What a file says that somebody has uploaded, and not the provider given: it books nothing by itself. All that would be
 * booked is a break that waits in the queue of finance, with the entry as its proposed resolution: another key than the
 * one that uploaded the file approves it ([decision 053](../../../docs/decisions/053-uploaded-files-propose.md)).
 */

const reason = 'said by an uploaded file';
/** What the breaks are about that stand for what has left the balance. */
const settledKey = 'settled';

/** A break that would be corrected, as one that waits for somebody. */
export function proposedBreak(found: StoredBreak): StoredBreak {
  return correctionOf(found) ? { ...found, treatment: 'finance' } : found;
}

export function proposeCorrection(
  of: OfDay,
  break_id: string,
  by: string,
  entry: CorrectingEntry,
): SettlementEvent {
  return propose(of, break_id, '0', { by, entry });
}

function propose(
  of: OfDay,
  break_id: string,
  number: string,
  data: { readonly by: string; readonly entry: CorrectingEntry; readonly settles?: StoredSettled },
): SettlementEvent {
  const key = ['proposed', break_id, number];
  return event('break-resolution-requested', of, key, {
    ...{ ...named(of), break_id, reason },
    ...data,
  });
}

/** Whether the provider's file says what an uploaded one has said before, and nobody has decided about. */
export function isConfirmed(day: SettlementDay, { break_id, uploaded_by }: StoredBreak): boolean {
  const known = day.breaks.get(break_id);
  return uploaded_by === undefined && known?.found.uploaded_by !== undefined && isOpen(known);
}

/** One break for each currency; those of an earlier file are dropped, because this one says it anew. */
export function proposeSettled(
  day: SettlementDay,
  of: OfDay,
  {
    sha256,
    by,
    changes,
  }: {
    readonly sha256: string;
    readonly by: string;
    readonly changes: readonly StoredSettled[];
  },
): SettlementEvent[] {
  const own = changes.map((settles) => {
    const break_id = idFromKey('break', of.psp, of.date, settledKey, sha256, settles.currency);
    return { break_id, settles };
  });
  const ids = new Set(own.map(({ break_id }) => break_id));
  const fresh = own.filter(({ break_id }) => !day.breaks.has(break_id));
  const rejected = own.filter(({ break_id }) => day.breaks.get(break_id)?.state === 'open');
  const breaks = fresh.map(({ break_id, settles }): StoredBreak => {
    const of = { class: 'missing_in_ledger', treatment: 'finance', key: settledKey } as const;
    return { break_id, ...of, detail: detailOf(settles), uploaded_by: by };
  });
  const [first] = breaks;
  const found = { ...named(of), sha256, breaks };
  return [
    ...withoutProposals(day, of, ids),
    ...(first ? [event('breaks-found', of, ['breaks', first.break_id], found)] : []),
    ...[...fresh, ...rejected].map(({ break_id, settles }) => {
      const entry = entryOf(settles);
      return propose(of, break_id, String(day.events), { by, entry, settles });
    }),
  ];
}

/** What earlier uploaded files of the day say has left the balance is not waited for any more, but for these. */
export function withoutProposals(
  day: SettlementDay,
  of: OfDay,
  but: ReadonlySet<string> = new Set(),
): SettlementEvent[] {
  return [...day.breaks.values()].flatMap((one) =>
    isSettledBreak(one) && isOpen(one) && !but.has(one.found.break_id)
      ? cleared(of, one.found.break_id, 'file-came-later')
      : [],
  );
}

export function isSettledBreak({ found }: TrackedBreak): boolean {
  return found.key === settledKey && found.uploaded_by !== undefined;
}

/** The lines of `settlement-booked`. */
function entryOf({ currency, ...amounts }: StoredSettled): CorrectingEntry {
  const lines = settledRules.map(({ debit, credit, amount: member }) => {
    return { debit, credit, amount: amounts[member] };
  });
  return { currency, lines: lines.filter(({ amount }) => amount !== '0'), movements: [] };
}

function detailOf(settles: StoredSettled): string {
  const { currency, to_bank, from_bank, fees, fees_returned } = settles;
  const shown = (units: string) =>
    isCurrency(currency) ? shownMoney(money(units, currency)) : `${units} ${currency}`;
  const words = [
    ['to the bank', to_bank],
    ['from the bank', from_bank],
    ['fees of no single payment', fees],
    ['such fees taken back', fees_returned],
  ] as const;
  const said = words.flatMap(([what, units]) => (units === '0' ? [] : [`${what} ${shown(units)}`]));
  return `the uploaded file says: ${said.join(', ')}`;
}
