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
import { mendedBreaks, recordBreaks, unusableFileKey } from './decide.ts';
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
  | ({ readonly kind: 'no-file' } & NotCompared)
  /** It gave one that cannot be used: that is a break of the day, in the special queue. */
  | ({ readonly kind: 'bad-file' } & NotCompared)
);

interface NotCompared {
  readonly reason: string;
  readonly detail: string;
  /** The day as it stands. */
  readonly report: ReconciliationReport;
  /** Whether another file of this day was compared, as one that somebody uploaded: then nothing is waited for. */
  readonly isCompared: boolean;
}

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
  const reports = providers.map(({ report }) => report);
  const isLater = wallets.kind === 'late' || providers.some(isWaitedFor);
  return {
    ...{ kind: isLater ? 'later' : 'done', date, providers, wallets },
    bank: bank.files.length > 0 || bank.breaks.length > 0 ? bank : undefined,
    bankEarlier,
    differing,
    open: [...reports, bank, ...bankEarlier, differing].reduce((sum, { open }) => sum + open, 0),
  };
}

/** A day is not done before a file of it was compared. */
function isWaitedFor(one: ProviderNight): boolean {
  return one.kind !== 'compared' && !one.isCompared;
}

/** What somebody should be told of a night, a sentence each. */
export function troublesOf({ date, providers, open }: NightReport): string[] {
  const missing = providers.flatMap((one) =>
    one.kind !== 'compared' && isWaitedFor(one)
      ? [`${date}: no file of ${one.psp} was compared: ${one.reason}: ${one.detail}`]
      : [],
  );
  return open > 0 ? [...missing, `${date}: ${open} breaks wait for somebody`] : missing;
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
        const problem = { reason: error.code, detail: error.message };
        await recordUnusable(means, psp.name, date, problem);
        return notCompared(means, psp.name, date, { kind: 'bad-file', ...problem });
      }
      if (!(error instanceof SettlementFileError)) throw error;
      last = { reason: error.code, detail: error.message };
    }
  }
  const { reason, detail } = last;
  return notCompared(means, psp.name, date, { kind: 'no-file', reason, detail });
}

async function notCompared(
  means: NightMeans,
  psp: string,
  date: string,
  why: Pick<Exclude<ProviderNight, { readonly kind: 'compared' }>, 'kind' | 'reason' | 'detail'>,
): Promise<ProviderNight> {
  const day = await readDay(means, psp, date);
  return { psp, ...why, report: reportOf(psp, date, day), isCompared: day.finished.size > 0 };
}

/**
 * Nobody knows why the provider gives such a file: somebody has to ask. The same trouble is said once, however often the
 * file is fetched, and is cleared by the file that can be used.
 */
async function recordUnusable(
  means: NightMeans,
  psp: string,
  date: string,
  { reason, detail: message }: { readonly reason: string; readonly detail: string },
): Promise<void> {
  const detail = `the file of ${psp} cannot be used: ${reason}: ${message}`;
  const found = { ...broken('unidentified_row', unusableFileKey, undefined, undefined), detail };
  const of = { psp, date, at: means.clock.now(), sha256: reason, breaks: [found] };
  await change(means, settlementStream(psp, date), (day) =>
    recordBreaks(day, { ...of, mended: mendedBreaks(day) }),
  );
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
