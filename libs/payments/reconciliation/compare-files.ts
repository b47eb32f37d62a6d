import type { Clock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Refused, refused } from '../outcome.ts';
import { bankCsvRows, utcDay } from './bank-csv.ts';
import { camt053Rows } from './camt053.ts';
import { bankBook } from './clearing-movements.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type Movement, movementOfBank, movementOfSettlement } from './movement.ts';
import type { MovementPlace, MovementsReadModel } from './movements.ts';
import type { Reconciled } from './reconcile.ts';
import { type ReconciliationReport, reportOf } from './report.ts';
import { type ReconciliationMeans, readDay, reconcileDay } from './service.ts';
import { settlementRows } from './settlement-csv.ts';

export interface FilesMeans extends ReconciliationMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream' | 'head'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly movements: MovementsReadModel;
}

export const statementFormats = ['csv', 'csv-semicolon', 'camt053'] as const;
export type StatementFormat = (typeof statementFormats)[number];

export type ComparedFile =
  | {
      readonly kind: 'compared';
      readonly run: Reconciled & { readonly sha256: string };
      /** The day as it stands with this file. */
      readonly report: ReconciliationReport;
    }
  | Refused<'no-day' | 'day-not-over' | 'reserved-name' | 'read-model-late' | 'read-model-lost'>;

/** Compares a provider's settlement file of a day. Throws ReconciliationFileError for a file that cannot be used. */
export async function compareSettlement(
  means: FilesMeans,
  { psp, date, file }: { readonly psp: string; readonly date: string; readonly file: FileText },
): Promise<ComparedFile> {
  if (reservedBooks.has(psp)) return refused('reserved-name', `no provider is named ${psp}`);
  const problem = await problemOfDay(means, date);
  if (problem) return problem;
  const run = await reconcileDay(means, {
    ...{ psp, date, format: 'stripe-balance-change-itemized-3', file, ofBalance: true },
    ...{ rowsOf: settlementRows, movementOf: movementOfSettlement },
    ledger: movementsOfDay(means.movements, psp, date),
  });
  return { kind: 'compared', run, report: reportOf(psp, date, await readDay(means, psp, date)) };
}

/** Compares the statement of the platform's bank account of a day with its payouts. Throws as above. */
export async function compareStatement(
  means: FilesMeans,
  {
    date,
    format,
    file,
  }: { readonly date: string; readonly format: StatementFormat; readonly file: FileText },
): Promise<ComparedFile> {
  const problem = await problemOfDay(means, date);
  if (problem) return problem;
  const run = await reconcileDay(means, {
    ...{ psp: bankBook, date, format, file, ofBalance: false },
    rowsOf: (text) => {
      if (format === 'camt053') return camt053Rows(text);
      return bankCsvRows(text, format === 'csv' ? ',' : ';');
    },
    movementOf: movementOfBank,
    ledger: movementsOfDay(means.movements, bankBook, date),
    // A bank books days, not times, and later than the provider says: all of a day may wait.
    timingMs: dayMs + 1,
  });
  const report = reportOf(bankBook, date, await readDay(means, bankBook, date));
  return { kind: 'compared', run, report };
}

const dayMs = 86_400_000;

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

async function* movementsOfDay(
  read: MovementsReadModel,
  book: string,
  day: string,
): AsyncGenerator<readonly Movement[]> {
  for (let after: MovementPlace | undefined; ; ) {
    const query = { book, day, limit: limits.movementsPage, ...(after ? { after } : {}) };
    const page = await read.movements(query);
    if (page.kind === 'lost') throw new Error('the read model went away while it was read');
    yield page.movements;
    after = page.next;
    if (!after) return;
  }
}
