import type { Clock } from '@annals/core';
import { mayRetry, type Psp, SettlementFileError } from '../psp/port.ts';
import { compareBank } from './bank-days.ts';
import type { BooksComparison, ComparedBooks, WalletDifference } from './books-comparison.ts';
import { bankBook } from './clearing-movements.ts';
import {
  type ComparedFile,
  compareSettlement,
  problemOfDay,
  walletsBook,
} from './compare-files.ts';
import type { FilesMeans } from './day-files.ts';
import { mendedBreaks, recordBreaks } from './decide.ts';
import { settlementStream } from './events.ts';
import { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { ReconciliationFileError } from './mapped-line.ts';
import { type Break, broken } from './match-key.ts';
import type { Movement } from './movement.ts';
import { type ReconciliationReport, reportOf } from './report.ts';
import { change, readDay } from './service.ts';

export interface NightMeans extends FilesMeans {
  readonly clock: Clock;
  readonly psps: readonly Pick<Psp, 'name' | 'settlementFile'>[];
  /** Absent where the stores of ledger and wallets cannot be compared. */
  readonly books?: BooksComparison;
}

export type ProviderNight = { readonly psp: string } & (
  | Extract<ComparedFile, { readonly kind: 'compared' }>
  /** The provider has no file, or gives none, now. */
  | { readonly kind: 'no-file'; readonly reason: string; readonly detail: string }
  /** It gave one that cannot be used: nothing was recorded. */
  | { readonly kind: 'bad-file'; readonly reason: string; readonly detail: string }
);

/** A day of all that is compared with each other. */
export interface NightReport {
  /** `later`: something could not be compared now that can be soon. The same night again changes nothing. */
  readonly kind: 'done' | 'later';
  readonly date: string;
  readonly providers: readonly ProviderNight[];
  readonly wallets: ComparedBooks | { readonly kind: 'not-compared' };
  /** What bank statements say of payouts of the day; undefined while none was kept and nothing was found. */
  readonly bank: ReconciliationReport | undefined;
  /** The days before it with payouts or lines that somebody has to look at. */
  readonly bankEarlier: readonly ReconciliationReport[];
  /** Wallets that differed from the ledger on this day, and what became of it. */
  readonly differing: ReconciliationReport;
  /** Breaks that somebody has to look at. */
  readonly open: number;
}

/**
 * Compares all of a day that is over: each provider's settlement file with what has moved there, wallets with the ledger,
 * and payouts with the bank statements that were kept. What is safe is corrected, the rest waits in the
 * queues. It may be run again at any time. Refused for a day that is none, or not over.
 */
export async function reconcileNight(
  means: NightMeans,
  date: string,
  signal?: AbortSignal,
): Promise<NightReport | Extract<ComparedFile, { readonly kind: 'refused' }>> {
  const problem = await problemOfDay(means, date);
  if (problem) return problem;
  const providers: ProviderNight[] = [];
  for (const psp of means.psps) providers.push(await provider(means, psp, date, signal));
  return nightReport(means, date, providers, signal);
}

/** The rest of a night whose settlement files were compared. */
export async function nightReport(
  means: Omit<NightMeans, 'psps'>,
  date: string,
  providers: readonly ProviderNight[],
  signal?: AbortSignal,
): Promise<NightReport> {
  const wallets = means.books
    ? await means.books.compare(signal)
    : ({ kind: 'not-compared' } as const);
  if (wallets.kind === 'compared') await recordDifferences(means, date, wallets.differences);
  const compared = await compareBank(means, date);
  const differing = reportOf(walletsBook, date, await readDay(means, walletsBook, date));
  const bank = reportOf(bankBook, date, await readDay(means, bankBook, date));
  const bankEarlier =
    compared.kind === 'compared' ? compared.days.filter((day) => day.date !== date) : [];
  const reports = providers.flatMap((one) => (one.kind === 'compared' ? [one.report] : []));
  const isLater = wallets.kind === 'late' || providers.some(({ kind }) => kind === 'no-file');
  return {
    ...{ kind: isLater ? 'later' : 'done', date, providers, wallets },
    bank: bank.files.length > 0 || bank.breaks.length > 0 ? bank : undefined,
    bankEarlier,
    differing,
    open: [...reports, bank, ...bankEarlier, differing].reduce((sum, { open }) => sum + open, 0),
  };
}

async function provider(
  means: NightMeans,
  psp: NightMeans['psps'][number],
  date: string,
  signal: AbortSignal | undefined,
): Promise<ProviderNight> {
  let last = { reason: 'stopped', detail: 'stopped' };
  for (let attempt = 0; attempt < limits.fileTriesMax && !signal?.aborted; attempt += 1) {
    if (attempt > 0) await means.clock.sleep(limits.fileWaitMs * 2 ** (attempt - 1), signal);
    const answered = await psp.settlementFile(date);
    if (answered.kind !== 'answered') {
      last = { reason: answered.reason, detail: answered.detail };
      const isFinal =
        answered.kind === 'refused' && answered.reason !== 'wrong_state' && !mayRetry(answered);
      if (isFinal) break;
      continue;
    }
    try {
      const file = new FileText(answered.value.chunks);
      const compared = await compareSettlement(means, { psp: psp.name, date, file });
      if (compared.kind === 'compared') return { psp: psp.name, ...compared };
      last = compared;
    } catch (error) {
      if (error instanceof ReconciliationFileError) {
        return { psp: psp.name, kind: 'bad-file', reason: error.code, detail: error.message };
      }
      if (!(error instanceof SettlementFileError)) throw error;
      last = { reason: error.code, detail: error.message };
    }
  }
  return { psp: psp.name, kind: 'no-file', ...{ reason: last.reason, detail: last.detail } };
}

/** A wallet that is not what its account says is a fault of ours that nobody has understood yet: it is looked into. */
async function recordDifferences(
  means: Omit<NightMeans, 'psps'>,
  date: string,
  differences: readonly WalletDifference[],
): Promise<void> {
  const at = means.clock.now();
  const stream = settlementStream(walletsBook, date);
  for (let from = 0; from < differences.length; from += limits.breaksPerEventMax) {
    const breaks = differences
      .slice(from, from + limits.breaksPerEventMax)
      .map((one) => breakOf(one, at));
    await change(means, stream, (day) =>
      recordBreaks(day, {
        ...{ psp: walletsBook, date, at, sha256: walletsBook, breaks },
        mended: mendedBreaks(day),
      }),
    );
  }
}

function breakOf({ seller, currency, part, wallet, ledger }: WalletDifference, at: number): Break {
  const key = `${seller} ${part}`;
  const side = (id: string, amount: bigint): Movement => {
    return { key, status: 'balance', currency, amount, fee: 0n, at, id, waited: 0 };
  };
  const found = broken('amount_mismatch', key, side('wallet', wallet), side('ledger', ledger));
  return { ...found, treatment: 'special' };
}
