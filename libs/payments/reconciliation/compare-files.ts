import { type Refused, refused } from '../outcome.ts';
import { dayMs } from '../utc-days.ts';
import { utcDay } from './bank-csv.ts';
import { compareBank } from './bank-days.ts';
import { keepStatement, type StatementFile } from './bank-statements.ts';
import { bankBook } from './clearing-movements.ts';
import { type FilesMeans, movementsOfDay } from './day-files.ts';
import { finishRun, receiveFile } from './decide.ts';
import { settlementStream } from './events.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { movementOfSettlement } from './movement.ts';
import type { Reconciled } from './reconcile.ts';
import { type ReconciliationReport, reportOf } from './report.ts';
import { change, readDay, reconcileDay } from './service.ts';
import { settlementRows } from './settlement-csv.ts';

export type ComparedFile =
  | {
      readonly kind: 'compared';
      readonly run: Reconciled & { readonly sha256: string };
      /** The day as it stands with this file. */
      readonly report: ReconciliationReport;
    }
  | Refused<'no-day' | 'day-not-over' | 'reserved-name' | 'read-model-late' | 'read-model-lost'>;

/**
 * Compares a provider's settlement file of a day. Throws ReconciliationFileError for a file that cannot be used.
 * `uploadedBy`: the key that gave it over HTTP; what it says is then proposed to another key, and not booked.
 */
export async function compareSettlement(
  means: FilesMeans,
  {
    psp,
    date,
    file,
    uploadedBy,
  }: {
    readonly psp: string;
    readonly date: string;
    readonly file: FileText;
    readonly uploadedBy?: string;
  },
): Promise<ComparedFile> {
  if (reservedBooks.has(psp)) return refused('reserved-name', `no provider is named ${psp}`);
  const problem = await problemOfDay(means, date);
  if (problem) return problem;
  const run = await reconcileDay(means, {
    ...{ psp, date, format: 'stripe-balance-change-itemized-3', file },
    ...{ rowsOf: settlementRows, movementOf: movementOfSettlement },
    ledger: movementsOfDay(means.movements, psp, date),
    ...(uploadedBy === undefined ? {} : { uploadedBy }),
  });
  return { kind: 'compared', run, report: reportOf(psp, date, await readDay(means, psp, date)) };
}

/**
 * Keeps the statement of the platform's bank account of a day, and compares all that are kept around it with payouts.
 * Throws as above; then nothing is kept.
 */
export async function compareStatement(
  means: FilesMeans,
  statement: StatementFile,
): Promise<ComparedFile> {
  const { date, format } = statement;
  const problem = await problemOfDay(means, date);
  if (problem) return problem;
  const { sha256, lines } = await keepStatement(means, statement);
  const of = { psp: bankBook, date, at: means.clock.now() };
  const own = settlementStream(bankBook, date);
  await change(means, own, (day) => receiveFile(day, { ...of, sha256, format }));
  const compared = await compareBank(means, date);
  if (compared.kind !== 'compared') throw new Error(`the statement of ${date} was not kept`);
  const { run } = compared;
  const breaks = Object.values(run.breaks).reduce((sum, count) => sum + count, 0);
  const { entries, matched } = run;
  const counts = { sha256, lines, entries, matched, breaks };
  await change(means, own, (day) => finishRun(day, { ...of, ...counts }));
  const report = reportOf(bankBook, date, await readDay(means, bankBook, date));
  return { kind: 'compared', run: { ...run, lines, sha256 }, report };
}

/** The differences of wallets have days of this name. */
export const walletsBook = 'wallets';
const reservedBooks: ReadonlySet<string> = new Set([bankBook, walletsBook]);

type DayProblem = Extract<ComparedFile, { readonly kind: 'refused' }>;

/** Why a day cannot be compared now; undefined where it can. */
export async function problemOfDay(
  { log, clock, movements }: FilesMeans,
  date: string,
): Promise<DayProblem | undefined> {
  const start = utcDay(date);
  if (start === undefined) return refused('no-day', 'a day is written YYYY-MM-DD');
  if (clock.now() < start + dayMs) {
    return refused('day-not-over', `${date} is not over yet (days are in UTC)`);
  }
  const waited = await movements.waitFor(await log.head(), limits.visibleMsMax);
  if (waited === 'late') {
    return refused(
      'read-model-late',
      'the projection reconciliation is behind: is a projector running?',
    );
  }
  if (waited === 'lost') {
    return refused(
      'read-model-lost',
      'the read model of reconciliation is lost: annals rebuild reconciliation',
    );
  }
  return undefined;
}
