import { idFromKey } from '@annals/core';
import { isCurrency } from '../money.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import { correctionOf, storedBreak } from './correcting-entry.ts';
import type { CorrectingEntry, SettlementEvent, StoredBreak } from './events.ts';
import { reconciliationLimits as limits } from './limits.ts';
import type { Break } from './match-key.ts';
import type { SettlementDay, TrackedBreak } from './state.ts';

/** Whose day a command is about, and when. */
export interface OfDay {
  readonly psp: string;
  readonly date: string;
  readonly at: number;
}

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
}

/**
 * What a comparison found: breaks that are not recorded yet, and the corrections of those that are safe to correct. The
 * id of a break comes from what it is about, so a second run of the same file records nothing new.
 */
export function recordBreaks(
  day: SettlementDay,
  { sha256, breaks, mended, ...of }: FoundBreaks,
): Decision<'too-many-breaks'> {
  if (breaks.length > limits.breaksPerEventMax) {
    return refused('too-many-breaks', `at most ${limits.breaksPerEventMax} at once`);
  }
  const stored = newBreaks(day, { ...of, breaks, mended });
  const [first] = stored;
  if (!first) return decided();
  const events = [
    event('breaks-found', of, ['breaks', first.break_id], {
      ...{ ...named(of), sha256, breaks: stored },
    }),
  ];
  for (const found of stored) {
    const entry = correctionOf(found);
    const { break_id, class: reason } = found;
    if (!entry) continue;
    const data = { ...named(of), break_id, reason, entry };
    events.push(event('break-corrected', of, ['corrected', break_id], data));
  }
  return decided(...events);
}

/** The same break found again is known; one that was mended and is found again is another. */
function newBreaks(
  day: SettlementDay,
  { breaks, mended, ...of }: Omit<FoundBreaks, 'sha256'>,
): StoredBreak[] {
  const seen = new Map<string, number>();
  const stored: StoredBreak[] = [];
  for (const found of breaks) {
    const words = sayings(found);
    let number = seen.get(words) ?? 0;
    const idOf = () => idFromKey('break', of.psp, of.date, words, String(number));
    while (mended.has(idOf())) number += 1;
    seen.set(words, number + 1);
    if (!day.breaks.has(idOf())) stored.push(storedBreak(idOf(), found));
  }
  return stored;
}

/** Breaks whose entries are in the books by now. */
export function mendedBreaks(day: SettlementDay): ReadonlySet<string> {
  return new Set([...day.breaks].filter(([, { booked }]) => booked).map(([id]) => id));
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
}

/** Said once for each file, however often it is compared. */
export function finishRun(
  day: SettlementDay,
  { psp, date, at, ...run }: OfDay & RunCounts,
): Decision {
  if (day.finished.has(run.sha256)) return decided();
  const of = { psp, date, at };
  const data = { ...named(of), ...run };
  return decided(event('reconciliation-finished', of, ['finished', run.sha256], data));
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
  { comment: text, ...command }: OfBreak & { readonly comment: string },
): Decision<'break-not-found' | 'comment-too-long'> {
  if (!day.breaks.has(command.breakId)) return notFound(command.breakId);
  if (text.trim() === '' || text.length > limits.commentCharsMax) {
    return refused('comment-too-long', `a comment has 1 to ${limits.commentCharsMax} characters`);
  }
  return about(day, 'break-commented', command, { by: command.by, comment: text });
}

export interface RequestResolution extends OfBreak {
  readonly reason: string;
  readonly entry?: CorrectingEntry;
}

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
  const wrong = entry && wrongInEntry(entry);
  if (wrong !== undefined) return refused('wrong-entry', wrong);
  const data = { by: command.by, reason, ...(entry ? { entry } : {}) };
  return about(day, 'break-resolution-requested', command, data);
}

function wrongInEntry({ currency, lines, movements }: CorrectingEntry): string | undefined {
  if (!isCurrency(currency)) return `${currency} is no ISO 4217 currency`;
  if (lines.length === 0) return 'an entry has one line at least';
  if (lines.some(({ amount }) => BigInt(amount) <= 0n)) return 'amounts must be above zero';
  if (lines.some(({ debit, credit }) => debit === credit)) {
    return 'a line debits one account and credits another';
  }
  if (movements.some((one) => !isCurrency(one.currency))) return 'a movement has no currency';
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
  if (tracked.state === 'open' || tracked.state === 'proposed') return { kind: 'open', tracked };
  return refused('break-closed', `this break is ${tracked.state}`);
}

function notFound(id: string): Refused<'break-not-found'> {
  return refused('break-not-found', `there is no break ${id} on this day`);
}

function named({ psp, date }: OfDay): { readonly psp: string; readonly date: string } {
  return { psp, date };
}

function about<Type extends SettlementEvent['type']>(
  day: SettlementDay,
  type: Type,
  command: OfBreak,
  data: object,
): Decided<SettlementEvent> {
  const own = { ...named(command), break_id: command.breakId, ...data };
  return decided(event(type, command, [type, command.breakId, String(day.events)], own));
}

function event(
  type: SettlementEvent['type'],
  of: OfDay,
  key: readonly string[],
  data: object,
): SettlementEvent {
  const id = idFromKey('settlement', of.psp, of.date, ...key);
  return { type, id, occurredAt: of.at, data } as SettlementEvent;
}
