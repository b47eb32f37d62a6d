import { idFromKey } from '@annals/core';
import { isAccount } from '../journal.ts';
import { isCurrency, moneyLimits } from '../money.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import type { BreakClass } from './break-classes.ts';
import { correctionOf, effectOf, mendingMovements, storedBreak } from './correcting-entry.ts';
import { cleared, event, isOpen, named, type OfDay } from './day-events.ts';
import type { CorrectingEntry, SettlementEvent, StoredBreak, StoredSettled } from './events.ts';
import { reconciliationLimits as limits } from './limits.ts';
import type { Break } from './match-key.ts';
import { nothingSettled, type Settled, type SettlementDay, type TrackedBreak } from './state.ts';
import {
  isConfirmed,
  isSettledBreak,
  proposeCorrection,
  proposedBreak,
  proposeSettled,
  withoutProposals,
} from './uploaded.ts';

const { digitsMax } = moneyLimits;

type Decision<Reason extends string = never> = Decided<SettlementEvent> | Refused<Reason>;

/** A file that was taken before changes nothing. */
export function receiveFile(
  day: SettlementDay,
  { sha256, format, ...of }: OfDay & { readonly sha256: string; readonly format: string },
): Decision {
  if (day.files.has(sha256)) return decided();
  const data = { ...named(of), sha256, format };
  return decided(event('settlement-file-received', of, ['file', sha256], data));
}

export interface FoundBreaks extends OfDay {
  readonly sha256: string;
  readonly breaks: readonly Break[];
  /**
   * What `mendedBreaks` said when the comparison began: its entries were compared. A break that was mended since, by
   * another process or by this very decision sent again, is the one that was found.
   */
  readonly mended: ReadonlySet<string>;
  /** The key that gave the file, where that is not the provider: then corrections are only proposed. */
  readonly uploadedBy?: string;
  /** Lines of uploaded files that have waited for this one, by their ids, and who gave them. */
  readonly uploadedLines?: ReadonlyMap<string, string>;
}

/**
 * What a comparison found: breaks that are not recorded yet, and the corrections of those that are safe to correct. The
 * id of a break comes from what it is about, so a second run of the same file records nothing new. Corrections by an uploaded
 * file wait for a second key, or for the file of the provider that says the same.
 */
export function recordBreaks(
  day: SettlementDay,
  { sha256, ...found }: FoundBreaks,
): Decision<'too-many-breaks'> {
  if (found.breaks.length > limits.breaksPerEventMax) {
    return refused('too-many-breaks', `at most ${limits.breaksPerEventMax} at once`);
  }
  const { psp, date, at } = found;
  const of = { psp, date, at };
  const all = breaksOf(found);
  const fresh = all.filter(({ break_id }) => !day.breaks.has(break_id));
  const [first] = fresh;
  const stored = fresh.map((one) => (one.uploaded_by === undefined ? one : proposedBreak(one)));
  const data = { ...named(of), sha256, breaks: stored };
  const events = first ? [event('breaks-found', of, ['breaks', first.break_id], data)] : [];
  for (const one of [...fresh, ...all.filter((known) => isConfirmed(day, known))]) {
    const entry = correctionOf(one);
    const { break_id, class: reason, uploaded_by } = one;
    if (!entry) continue;
    if (uploaded_by !== undefined) events.push(proposeCorrection(of, break_id, uploaded_by, entry));
    else {
      const corrected = { ...named(of), break_id, reason, entry };
      events.push(event('break-corrected', of, ['corrected', break_id], corrected));
    }
  }
  return decided(...events);
}

/** As they are stored, with who gave the file that they come from. */
function breaksOf(found: Omit<FoundBreaks, 'sha256'>): StoredBreak[] {
  const { uploadedBy, uploadedLines } = found;
  const ids = breakIds(found);
  return found.breaks.flatMap((one, index) => {
    const by = uploadedBy ?? uploadedLines?.get(one.outside?.id ?? '');
    const stored = storedBreak(ids[index] ?? '', one);
    return by === undefined ? stored : { ...stored, uploaded_by: by };
  });
}

/** The same break found again has the id it had; one that was mended and is found again is another. */
export function breakIds({
  psp,
  date,
  breaks,
  mended,
}: Pick<FoundBreaks, 'psp' | 'date' | 'breaks' | 'mended'>): string[] {
  const seen = new Map<string, number>();
  return breaks.map((found) => {
    const words = sayings(found);
    let number = seen.get(words) ?? 0;
    const idOf = () => idFromKey('break', psp, date, words, String(number));
    while (mended.has(idOf())) number += 1;
    seen.set(words, number + 1);
    return idOf();
  });
}

/** Classes of what may still come on the other side. */
const oneSided: ReadonlySet<BreakClass> = new Set(['missing_in_psp', 'missing_in_ledger']);

/** Breaks that wait for somebody although a comparison of both sides to their ends finds them no more. */
export function goneBreaks(
  day: SettlementDay,
  {
    found,
    waiting,
  }: { readonly found: ReadonlySet<string>; readonly waiting: ReadonlySet<string> },
): string[] {
  return [...day.breaks.values()].flatMap((one) => {
    const { break_id, class: of, key } = one.found;
    const isGone = isOpen(one) && oneSided.has(of) && !found.has(break_id) && !waiting.has(key);
    return isGone ? [break_id] : [];
  });
}

/**
 * The other side of these breaks came after all. A resolution that waits for its second person is dropped with its
 * break, because its entry would book the same money again.
 */
export function clearBreaks(
  day: SettlementDay,
  { gone, ...of }: OfDay & { readonly gone: readonly string[] },
): Decision {
  const events = gone.flatMap((break_id) => {
    const one = day.breaks.get(break_id);
    if (!one || !isOpen(one)) return [];
    const reason = one.found.class === 'missing_in_psp' ? 'line-came-later' : 'entry-came-later';
    return cleared(of, break_id, reason);
  });
  return decided(...events);
}

/** What a break is about whose provider gave a file that cannot be used. */
export const unusableFileKey = 'settlement file';

/** A file that could be compared has come after one that could not be used. */
function fileCame(day: SettlementDay, of: OfDay): SettlementEvent[] {
  const unusable = [...day.breaks.values()].filter(
    (one) => isOpen(one) && one.found.key === unusableFileKey,
  );
  return unusable.map(({ found }) => cleared(of, found.break_id, 'file-came-later'));
}

/** Breaks that our side has been made to agree about. */
export function mendedBreaks(day: SettlementDay): ReadonlySet<string> {
  return new Set([...day.breaks].filter(([, { mended }]) => mended).map(([id]) => id));
}

function sayings({ class: of, key, outside, ledger, line, detail }: Break): string {
  // Without amounts: a correction of a fee changes those of an entry whose amount is still to be looked into.
  const side = (one: Break['outside']) => one && [one.status, one.currency, one.id];
  return JSON.stringify([of, key, side(outside), side(ledger), line, detail]);
}

export interface RunCounts {
  readonly sha256: string;
  readonly lines: number;
  readonly entries: number;
  readonly matched: number;
  readonly breaks: number;
  /** The key that gave the file, where that is not the provider. */
  readonly uploadedBy?: string;
}

/**
 * Said once for each file, however often it is compared; with it what the file says has left the balance is booked. A
 * later file of the same day books what it says otherwise than the one before. Of an uploaded file that is proposed to a
 * second key, until another file of the day says it anew.
 */
export function finishRun(
  day: SettlementDay,
  {
    psp,
    date,
    at,
    settled = new Map(),
    uploadedBy,
    ...run
  }: OfDay & RunCounts & { readonly settled?: ReadonlyMap<string, Settled> },
): Decision {
  const of = { psp, date, at };
  const { sha256 } = run;
  const changes = settledChanges(day, sha256, settled);
  if (uploadedBy !== undefined) {
    const proposals = proposeSettled(day, of, { sha256, by: uploadedBy, changes });
    if (day.finished.has(sha256)) return decided(...fileCame(day, of), ...proposals);
    const data = { ...named(of), ...run, uploaded_by: uploadedBy };
    return decided(
      ...fileCame(day, of),
      ...proposals,
      event('reconciliation-finished', of, ['finished', sha256, 'uploaded'], data),
    );
  }
  if (day.booked.has(sha256)) return decided(...fileCame(day, of));
  return decided(
    ...fileCame(day, of),
    ...withoutProposals(day, of),
    ...changes.map((change) => {
      const data = { ...named(of), ...change };
      return event('settlement-booked', of, ['booked', sha256, change.currency], data);
    }),
    event('reconciliation-finished', of, ['finished', sha256], { ...named(of), ...run }),
  );
}

/** What a file says has left the balance otherwise than what is booked. */
function settledChanges(
  day: SettlementDay,
  sha256: string,
  settled: ReadonlyMap<string, Settled>,
): StoredSettled[] {
  const currencies = new Set([...settled.keys(), ...day.settled.keys()]);
  return [...currencies].toSorted().flatMap((currency) => {
    const now = settled.get(currency) ?? nothingSettled;
    const before = day.settled.get(currency) ?? nothingSettled;
    const bank = now.bank - before.bank;
    const fees = now.fees - before.fees;
    if (bank === 0n && fees === 0n) return [];
    return {
      ...{ sha256, currency },
      to_bank: String(bank > 0n ? bank : 0n),
      from_bank: String(bank < 0n ? -bank : 0n),
      fees: String(fees > 0n ? fees : 0n),
      fees_returned: String(fees < 0n ? -fees : 0n),
    };
  });
}

/** Somebody's command about one break. */
export interface OfBreak extends OfDay {
  readonly breakId: string;
  readonly by: string;
}

type BreakReason = 'break-not-found' | 'break-closed';

export function assign(
  day: SettlementDay,
  { to, ...command }: OfBreak & { readonly to: string },
): Decision<BreakReason> {
  const one = openBreak(day, command.breakId);
  if (one.kind === 'refused') return one;
  if (one.tracked.assignedTo === to) return decided();
  return about(day, 'break-assigned', command, { to, by: command.by });
}

export function comment(
  day: SettlementDay,
  {
    comment: text,
    commentId,
    ...command
  }: OfBreak & {
    readonly comment: string;
    /** Of the request: sent again it is the same comment. */
    readonly commentId?: string;
  },
): Decision<'break-not-found' | 'comment-too-long'> {
  if (!day.breaks.has(command.breakId)) return notFound(command.breakId);
  if (text.trim() === '' || text.length > limits.commentCharsMax) {
    return refused('comment-too-long', `a comment has 1 to ${limits.commentCharsMax} characters`);
  }
  return about(day, 'break-commented', command, { by: command.by, comment: text }, commentId);
}

export interface RequestResolution extends OfBreak {
  readonly reason: string;
  /** What is booked once it is approved; it has to mend the break (`mendingMovements`). */
  readonly entry?: ProposedEntry;
}

export type ProposedEntry = Pick<CorrectingEntry, 'currency' | 'lines'>;

/** Books nothing: another person approves or rejects it. */
export function requestResolution(
  day: SettlementDay,
  { reason, entry, ...command }: RequestResolution,
): Decision<BreakReason | 'resolution-requested' | 'wrong-entry' | 'reason-missing'> {
  const one = openBreak(day, command.breakId);
  if (one.kind === 'refused') return one;
  if (one.tracked.state === 'proposed') {
    return refused('resolution-requested', 'a resolution waits for its second person');
  }
  if (reason.trim() === '' || reason.length > limits.commentCharsMax) {
    return refused('reason-missing', `a reason has 1 to ${limits.commentCharsMax} characters`);
  }
  const { by } = command;
  if (!entry) return about(day, 'break-resolution-requested', command, { by, reason });
  if (isSettledBreak(one.tracked)) {
    return refused('wrong-entry', 'what it books is in its file: give the right one, or none');
  }
  const { found } = one.tracked;
  const movements = mendingMovements(found, entry.currency);
  const wrong = wrongInEntry(entry) ?? otherCurrency(entry, found) ?? mendsNot(entry, movements);
  if (wrong !== undefined) return refused('wrong-entry', wrong);
  const { currency, lines } = entry;
  const data = { by, reason, entry: { currency, lines, movements } };
  return about(day, 'break-resolution-requested', command, data);
}

function wrongInEntry({ currency, lines }: ProposedEntry): string | undefined {
  if (!isCurrency(currency)) return 'its currency is no ISO 4217 code';
  if (lines.length === 0 || lines.length > limits.entryLinesMax) {
    return `an entry has 1 to ${limits.entryLinesMax} lines`;
  }
  if (lines.some(({ amount }) => !/^[1-9]\d*$/.test(amount) || amount.length > digitsMax)) {
    return `amounts are whole minor units above zero, of at most ${digitsMax} digits`;
  }
  const accounts = lines.flatMap(({ debit, credit }) => [debit, credit]);
  const unknown = accounts.find((name) => !isAccount(name));
  if (unknown !== undefined) return `there is no account ${unknown.slice(0, limits.idCharsMax)}`;
  if (lines.some(({ debit, credit }) => debit === credit)) {
    return 'a line debits one account and credits another';
  }
  return undefined;
}

/** In another currency it would mend nothing, and so could book anything. */
function otherCurrency({ currency }: ProposedEntry, found: StoredBreak): string | undefined {
  const own = [found.outside, found.ledger].flatMap((side) => side?.currency ?? []);
  return own.length === 0 || own.includes(currency)
    ? undefined
    : `the break is in ${own.join(' and ')}, and the entry in ${currency}`;
}

/**
 * An entry has to change what the provider and the bank hold for us by what our side lacks: else the books would agree
 * with the file by their lists, and not by their sums.
 */
function mendsNot(
  { lines }: ProposedEntry,
  movements: CorrectingEntry['movements'],
): string | undefined {
  if (movements.length === 0) return undefined;
  const lacking = effectOf(movements);
  for (const account of ['psp_clearing', 'bank'] as const) {
    let booked = 0n;
    for (const { debit, credit, amount } of lines) {
      if (debit === account) booked += BigInt(amount);
      if (credit === account) booked -= BigInt(amount);
    }
    if (booked === lacking[account]) continue;
    return `it must change ${account} by ${lacking[account]}, and changes it by ${booked}`;
  }
  return undefined;
}

export function approveResolution(
  day: SettlementDay,
  command: OfBreak,
): Decision<BreakReason | 'no-resolution' | 'same-person'> {
  const one = openBreak(day, command.breakId);
  if (one.kind === 'refused') return one;
  const { proposal } = one.tracked;
  if (!proposal) return refused('no-resolution', 'nobody has asked to resolve this break');
  if (proposal.by === command.by) {
    return refused('same-person', 'who asked for a resolution cannot approve it');
  }
  const { by: requested_by, ...rest } = proposal;
  return about(day, 'break-resolved', command, { ...rest, requested_by, approved_by: command.by });
}

/** Who asked may also take it back by this. */
export function rejectResolution(
  day: SettlementDay,
  { reason, ...command }: OfBreak & { readonly reason: string },
): Decision<BreakReason | 'no-resolution'> {
  const one = openBreak(day, command.breakId);
  if (one.kind === 'refused') return one;
  if (!one.tracked.proposal) return refused('no-resolution', 'there is nothing to reject');
  return about(day, 'break-resolution-rejected', command, { by: command.by, reason });
}

function openBreak(
  day: SettlementDay,
  id: string,
): { readonly kind: 'open'; readonly tracked: TrackedBreak } | Refused<BreakReason> {
  const tracked = day.breaks.get(id);
  if (!tracked) return notFound(id);
  if (isOpen(tracked)) return { kind: 'open', tracked };
  return refused('break-closed', `this break is ${tracked.state}`);
}

function notFound(id: string): Refused<'break-not-found'> {
  return refused('break-not-found', `there is no break ${id} on this day`);
}

function about<Type extends SettlementEvent['type']>(
  day: SettlementDay,
  type: Type,
  command: OfBreak,
  data: object,
  commandId = String(day.events),
): Decided<SettlementEvent> {
  const own = { ...named(command), break_id: command.breakId, ...data };
  return decided(event(type, command, [type, command.breakId, commandId], own));
}
