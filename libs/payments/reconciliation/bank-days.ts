import { dayMs, dayOf, shiftedDay, startOfDay } from '../utc-days.ts';
import { type KeptStatement, keptLines, keptStatement } from './bank-statements.ts';
import { bankBook } from './clearing-movements.ts';
import { type FilesMeans, movementsOfDay } from './day-files.ts';
import { breakIds, clearBreaks, goneBreaks, mendedBreaks, recordBreaks } from './decide.ts';
import { settlementStream } from './events.ts';
import { reconciliationLimits as limits } from './limits.ts';
import type { MappedLine } from './mapped-line.ts';
import type { Break } from './match-key.ts';
import type { Movement } from './movement.ts';
import { type Reconciled, reconcile } from './reconcile.ts';
import { type ReconciliationReport, reportOf } from './report.ts';
import { change, type DayFold, loadDay, readDay } from './service.ts';

/** What the statements that were kept say of the payouts of some days. */
export type BankCompared =
  | {
      readonly kind: 'compared';
      readonly run: Reconciled;
      /** The day itself, and the days before it that have breaks, the oldest first. */
      readonly days: readonly ReconciliationReport[];
    }
  | { readonly kind: 'no-statement' };

/**
 * Compares payouts with all statements around a day: a bank books later than we hear of it, over weekends, and sends its
 * statement when it likes. So no order of files is asked for, and nothing is carried from one day to the next: a payout is
 * looked for in all of them. It is missing as soon as a later day's statement is there and none has it.
 */
export async function compareBank(means: FilesMeans, date: string): Promise<BankCompared> {
  const window = await openWindow(means, date);
  if (!window) return { kind: 'no-statement' };
  const recorder = new DaysRecorder(means, window);
  const run = await reconcile({
    file: recorder.linesOf(window.statements),
    movementOf: (row: Movement | undefined) => row,
    ledger: entriesOf(means, window),
    until: startOfDay(window.latest) + dayMs,
    // What is of the latest day, or after it, may be in the next statement.
    timingMs: dayMs + 1,
    sameIdIsSameLine: true,
    ...(means.scratchFolder === undefined ? {} : { scratchFolder: means.scratchFolder }),
    onBreaks: (breaks) => recorder.found(breaks),
  });
  await recorder.flush();
  await recorder.clear();
  return { kind: 'compared', run, days: await reportsOf(means, window, date) };
}

interface Window {
  readonly statements: readonly KeptStatement[];
  /** Days of entries and their corrections, the oldest first. */
  readonly days: ReadonlyMap<string, DayFold>;
  /** The last day whose statement says anything. */
  readonly latest: string;
  /** Breaks of what is before or after is for other nights to say. */
  readonly from: string;
  readonly to: string;
  /** Payouts before the first statement were never to be found in one. */
  readonly entriesFrom: string;
}

/** Undefined where no statement was kept. */
async function openWindow(means: FilesMeans, date: string): Promise<Window | undefined> {
  const { bankDays, bankReportedDays } = limits;
  const yesterday = shiftedDay(dayOf(means.clock.now()), -1);
  const days = new Map<string, DayFold>();
  const statements: KeptStatement[] = [];
  for (let shift = -2 * bankDays; shift <= bankDays; shift += 1) {
    const day = shiftedDay(date, shift);
    if (day > yesterday) break;
    const fold = await loadDay(means, settlementStream(bankBook, day));
    days.set(day, fold);
    if (shift < -bankDays) continue;
    for (const sha256 of fold.day.files) {
      // One that was compared before statements were kept is not there.
      const kept = await keptStatement(means, day, sha256);
      if (kept) statements.push(kept);
    }
  }
  const [first] = statements;
  if (!first) return undefined;
  const latest = statements.findLast(({ lines }) => lines > 0)?.date ?? first.date;
  const from = shiftedDay(date, -bankReportedDays);
  const entriesFrom = from > first.date ? from : first.date;
  return { statements, days, latest, from, to: date, entriesFrom };
}

async function* entriesOf(
  { movements }: FilesMeans,
  { days }: Window,
): AsyncGenerator<readonly Movement[]> {
  for (const [day, fold] of days) {
    yield fold.movements;
    yield* movementsOfDay(movements, bankBook, day);
  }
}

/** Records each break in the day of what it is about, so that the next night finds it known. */
class DaysRecorder {
  readonly #means: FilesMeans;
  readonly #window: Window;
  readonly #breaks = new Map<string, Break[]>();
  /** Ids of what was found, and keys of what waits for a later statement. */
  readonly #found = new Set<string>();
  readonly #waiting = new Set<string>();
  #count = 0;
  /** The day of the lines that are read now. */
  #reading = '';

  constructor(means: FilesMeans, window: Window) {
    this.#means = means;
    this.#window = window;
  }

  async *linesOf(
    statements: readonly KeptStatement[],
  ): AsyncGenerator<readonly MappedLine<Movement | undefined>[]> {
    for (const statement of statements) {
      this.#reading = statement.date;
      yield* keptLines(this.#means, statement);
    }
  }

  async found(breaks: readonly Break[]): Promise<void> {
    const { from, to, entriesFrom } = this.#window;
    for (const one of breaks) {
      const moved = one.ledger ?? one.outside;
      const day = moved ? dayOf(moved.at) : this.#reading;
      if (day > to || day < (one.ledger && !one.outside ? entriesFrom : from)) continue;
      const own = this.#breaks.get(day) ?? [];
      this.#breaks.set(day, own);
      own.push(one);
      if (one.treatment === 'wait') this.#waiting.add(one.key);
      this.#count += 1;
    }
    if (this.#count >= limits.breaksPerEventMax) await this.flush();
  }

  async flush(): Promise<void> {
    const { days, statements } = this.#window;
    const at = this.#means.clock.now();
    for (const [date, all] of this.#breaks) {
      const fold = days.get(date);
      const mended = fold ? mendedBreaks(fold.day) : new Set<string>();
      const sha256 =
        (statements.findLast((one) => one.date <= date) ?? statements[0])?.sha256 ?? '';
      for (let from = 0; from < all.length; from += limits.breaksPerEventMax) {
        const breaks = all.slice(from, from + limits.breaksPerEventMax);
        for (const id of breakIds({ psp: bankBook, date, breaks, mended })) this.#found.add(id);
        await change(this.#means, settlementStream(bankBook, date), (day) =>
          recordBreaks(day, { psp: bankBook, date, at, sha256, breaks, mended }),
        );
      }
    }
    this.#breaks.clear();
    this.#count = 0;
  }

  /** What an earlier night found and this one does not, of days that both looked at, has come since. */
  async clear(): Promise<void> {
    const { days, entriesFrom, to } = this.#window;
    const at = this.#means.clock.now();
    for (const [date, fold] of days) {
      if (date < entriesFrom || date > to) continue;
      const all = goneBreaks(fold.day, { found: this.#found, waiting: this.#waiting });
      for (let from = 0; from < all.length; from += limits.breaksPerEventMax) {
        const gone = all.slice(from, from + limits.breaksPerEventMax);
        await change(this.#means, settlementStream(bankBook, date), (day) =>
          clearBreaks(day, { psp: bankBook, date, at, gone }),
        );
      }
    }
  }
}

async function reportsOf(
  means: FilesMeans,
  { days }: Window,
  date: string,
): Promise<readonly ReconciliationReport[]> {
  const reports: ReconciliationReport[] = [];
  for (const day of days.keys()) {
    if (day > date) break;
    const report = reportOf(bankBook, day, await readDay(means, bankBook, day));
    if (day === date || report.open > 0) reports.push(report);
  }
  return reports;
}
