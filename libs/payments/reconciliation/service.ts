import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { changeStream, loadStream, type StreamKind } from '../change.ts';
import type { Decided, Refused } from '../outcome.ts';
import { dayMs, shiftedDay, startOfDay } from '../utc-days.ts';
import { fromStored, movementsOf } from './correcting-entry.ts';
import { type FoundBreaks, finishRun, mendedBreaks, receiveFile, recordBreaks } from './decide.ts';
import {
  type SettlementEvent,
  type SettlementEventType,
  settlementEvents,
  settlementStream,
} from './events.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import type { MappedLine } from './mapped-line.ts';
import type { Break } from './match-key.ts';
import type { Movement } from './movement.ts';
import { type Reconciled, reconcile } from './reconcile.ts';
import { evolveDay, newDay, type SettlementDay } from './state.ts';

export interface ReconciliationMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly cipher: SubjectCipher;
  readonly scratchFolder?: string;
}

export interface DayFile<Row> {
  /** The provider whose balance the file is about. */
  readonly psp: string;
  /** `YYYY-MM-DD`, UTC. */
  readonly date: string;
  readonly format: string;
  readonly file: FileText;
  /** The mapper of its format. */
  readonly rowsOf: (file: FileText) => AsyncIterable<readonly MappedLine<Row>[]>;
  readonly movementOf: (row: Row) => Movement | undefined;
  /** The key that gave the file, where that is not the provider: what it says is proposed, and not booked. */
  readonly uploadedBy?: string;
  /** Our entries of that day; what reconciliation has corrected since is added here. */
  readonly ledger: AsyncIterable<readonly Movement[]>;
}

/** The log did not take what was decided: nothing is half done that running again would not finish. */
export class ReconciliationLogError extends Error {
  readonly code = 'reconciliation-log';
}

/** A day with what its events add to our side. */
export interface DayFold {
  readonly day: SettlementDay;
  readonly movements: readonly Movement[];
}

const newFold: DayFold = { day: newDay, movements: [] };

/**
 * Compares the file of a day with our entries, and records what was found. It may be run again at any time, also after a
 * crash: the same file changes nothing, and what has been corrected is not found again. Throws
 * ReconciliationFileError for a file that cannot be used; then nothing is recorded.
 */
export async function reconcileDay<Row>(
  means: ReconciliationMeans,
  { psp, date, format, file, rowsOf, movementOf, ledger, uploadedBy }: DayFile<Row>,
): Promise<Reconciled & { readonly sha256: string }> {
  const start = startOfDay(date);
  const own = settlementStream(psp, date);
  const { movements, day: known } = await loadDay(means, own);
  const { day: yesterday } = await loadDay(means, settlementStream(psp, shiftedDay(date, -1)));
  const of = { psp, date, at: means.clock.now() };
  const uploaded = uploadedBy === undefined ? {} : { uploadedBy };
  const found = {
    ...{ ...of, ...uploaded, mended: mendedBreaks(known) },
    uploadedLines: uploadedLines(yesterday),
  };
  const recorder = new Recorder(means, own, found, file, format);
  const result = await reconcile({
    file: rowsOf(file),
    movementOf,
    ledger: both(ledger, movements),
    waiting: waitingFrom(yesterday),
    until: start + dayMs,
    ...(means.scratchFolder === undefined ? {} : { scratchFolder: means.scratchFolder }),
    onBreaks: (breaks) => recorder.found(breaks),
  });
  const { sha256 } = file;
  await recorder.flush();
  const { lines, entries, matched, settled } = result;
  const breaks = Object.values(result.breaks).reduce((sum, count) => sum + count, 0);
  const run = { sha256, lines, entries, matched, breaks };
  // What left the balance at the provider is booked (`settlement-booked`).
  await change(means, own, (day) => finishRun(day, { ...of, ...run, ...uploaded, settled }));
  return { ...result, sha256 };
}

async function* both(
  ledger: AsyncIterable<readonly Movement[]>,
  movements: readonly Movement[],
): AsyncGenerator<readonly Movement[]> {
  yield movements;
  yield* ledger;
}

function waitingFrom(day: SettlementDay) {
  const waiting = [...day.breaks.values()].filter(({ state }) => state === 'waiting');
  return {
    outside: waiting.flatMap(({ found }) => (found.outside ? [fromStored(found.outside)] : [])),
    ledger: waiting.flatMap(({ found }) => (found.ledger ? [fromStored(found.ledger)] : [])),
  };
}

/** Lines of uploaded files that wait, by their ids, and who gave them. */
function uploadedLines(day: SettlementDay): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  for (const { found, state } of day.breaks.values()) {
    const { uploaded_by, outside } = found;
    if (state === 'waiting' && outside && uploaded_by !== undefined) {
      lines.set(outside.id, uploaded_by);
    }
  }
  return lines;
}

/** Records breaks a part at a time, but none before the file was read to its end: then it is known to be one. */
class Recorder {
  readonly #means: ReconciliationMeans;
  readonly #stream: string;
  readonly #of: Omit<FoundBreaks, 'sha256' | 'breaks'>;
  readonly #file: FileText;
  readonly #format: string;
  #breaks: Break[] = [];
  #received = false;

  constructor(
    means: ReconciliationMeans,
    stream: string,
    of: Omit<FoundBreaks, 'sha256' | 'breaks'>,
    file: FileText,
    format: string,
  ) {
    this.#means = means;
    this.#stream = stream;
    this.#of = of;
    this.#file = file;
    this.#format = format;
  }

  async found(breaks: readonly Break[]): Promise<void> {
    for (const one of breaks) this.#breaks.push(one);
    if (this.#file.isRead && this.#breaks.length >= limits.breaksPerEventMax) await this.flush();
  }

  async flush(): Promise<void> {
    const { sha256 } = this.#file;
    if (!this.#received) {
      const { psp, date, at } = this.#of;
      const file = { psp, date, at, sha256, format: this.#format };
      await change(this.#means, this.#stream, (day) => receiveFile(day, file));
      this.#received = true;
    }
    const all = this.#breaks;
    this.#breaks = [];
    for (let from = 0; from < all.length; from += limits.breaksPerEventMax) {
      const breaks = all.slice(from, from + limits.breaksPerEventMax);
      const decide = (day: SettlementDay) => recordBreaks(day, { ...this.#of, sha256, breaks });
      await change(this.#means, this.#stream, decide);
    }
  }
}

const days: StreamKind<DayFold, SettlementEventType> = {
  types: settlementEvents,
  evolve: ({ day, movements } = newFold, event) => {
    const more = movementsOf(event);
    return {
      day: evolveDay(day, event),
      movements: more.length === 0 ? movements : [...movements, ...more],
    };
  },
};

export async function loadDay(
  means: Pick<ReconciliationMeans, 'log' | 'cipher'>,
  stream: string,
): Promise<DayFold> {
  return (await loadStream(means, days, stream)).state ?? newFold;
}

/** One day as its events tell it. */
export async function readDay(
  means: Pick<ReconciliationMeans, 'log' | 'cipher'>,
  psp: string,
  date: string,
): Promise<SettlementDay> {
  return (await loadDay(means, settlementStream(psp, date))).day;
}

/** Carries out one decision about a day. Throws ReconciliationLogError where the log takes nothing. */
export async function change<Reason extends string>(
  means: ReconciliationMeans,
  stream: string,
  decide: (day: SettlementDay) => Decided<SettlementEvent> | Refused<Reason>,
): Promise<Decided<SettlementEvent> | Refused<Reason>> {
  let decision: Decided<SettlementEvent> | Refused<Reason> | undefined;
  const done = await changeStream(means, days, stream, ({ state }) => {
    decision = decide((state ?? newFold).day);
    return decision;
  });
  if (decision && (done.kind === 'carried' || done === decision)) return decision;
  throw new ReconciliationLogError(`${stream}: ${'detail' in done ? done.detail : done.kind}`);
}
