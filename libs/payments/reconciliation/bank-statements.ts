import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { idFromKey } from '@annals/core';
import { type BankRow, bankCsvRows } from './bank-csv.ts';
import {
  type KeptLine,
  type StatementEvent,
  statementEvents,
  statementStream,
} from './bank-statement-events.ts';
import { camt053Rows } from './camt053.ts';
import { fromStored, toStored } from './correcting-entry.ts';
import type { FileText } from './file-text.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { type BadLineReason, bad, type MappedLine } from './mapped-line.ts';
import { type Movement, movementOfBank } from './movement.ts';
import { ReconciliationLogError, type ReconciliationMeans } from './service.ts';

export const statementFormats = ['csv', 'csv-semicolon', 'camt053'] as const;
export type StatementFormat = (typeof statementFormats)[number];

export interface StatementFile {
  readonly date: string;
  readonly format: StatementFormat;
  readonly file: FileText;
}

/** A statement that was read to its end. */
export interface KeptStatement {
  readonly date: string;
  readonly sha256: string;
  readonly lines: number;
}

function rowsOf({ format, file }: StatementFile): AsyncIterable<readonly MappedLine<BankRow>[]> {
  if (format === 'camt053') return camt053Rows(file);
  return bankCsvRows(file, format === 'csv' ? ',' : ';');
}

/**
 * Keeps what a statement says, once: the same file again stores nothing, and one whose keeping was cut off is gone on
 * with. Lines go through a scratch file, because their stream is named by the hash of the whole. Throws
 * ReconciliationFileError for a file that cannot be used, and then nothing is kept.
 */
export async function keepStatement(
  means: ReconciliationMeans,
  statement: StatementFile,
): Promise<KeptStatement> {
  const folder = await mkdtemp(join(means.scratchFolder ?? tmpdir(), 'annals-statement-'));
  try {
    const scratch = join(folder, 'lines');
    await pipeline(linesOf(statement), createWriteStream(scratch));
    const { date, format, file } = statement;
    const known = await keptStatement(means, date, file.sha256);
    return known ?? (await store(means, { date, format, sha256: file.sha256 }, scratch));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* linesOf(statement: StatementFile): AsyncGenerator<string> {
  for await (const batch of rowsOf(statement)) {
    yield batch.map((line) => `${JSON.stringify(keptLine(line))}\n`).join('');
  }
}

function keptLine(line: MappedLine<BankRow>): KeptLine {
  const { line: number } = line;
  if (line.kind === 'bad')
    return { line: number, bad: { reason: line.reason, detail: line.detail } };
  const movement = movementOfBank(line.row);
  return movement ? { line: number, movement: toStored(movement) } : { line: number };
}

async function store(
  means: ReconciliationMeans,
  { date, format, sha256 }: Pick<StatementFile, 'date' | 'format'> & { readonly sha256: string },
  scratch: string,
): Promise<KeptStatement> {
  const of = { date, sha256 };
  const at = means.clock.now();
  const event = (type: StatementEvent['type'], part: number, data: object) => {
    const id = idFromKey(type, date, sha256, String(part));
    return { type, id, occurredAt: at, data: { ...of, ...data } } as StatementEvent;
  };
  let [lines, parts] = [0, 0];
  let kept: KeptLine[] = [];
  const flush = async () => {
    parts += 1;
    await append(means, of, event('statement-lines-kept', parts, { part: parts, lines: kept }));
    lines += kept.length;
    kept = [];
  };
  for await (const text of createInterface({ input: createReadStream(scratch) })) {
    kept.push(JSON.parse(text) as KeptLine);
    if (kept.length === limits.keptLinesPerEvent) await flush();
  }
  if (kept.length > 0) await flush();
  await append(means, of, event('statement-kept', 0, { format, lines, parts }));
  return { ...of, lines };
}

/** One event at a time: of several, some could be known and some not after a crash. */
async function append(
  { log, cipher }: ReconciliationMeans,
  { date, sha256 }: Omit<KeptStatement, 'lines'>,
  event: StatementEvent,
): Promise<void> {
  const encoded = await statementEvents.encode([event], cipher);
  if (encoded.kind !== 'encoded') throw new TypeError('a statement names a subject');
  const stream = statementStream(date, sha256);
  const result = await log.append(stream, encoded.events, { expected: 'any' });
  if (result.kind !== 'stored') throw new ReconciliationLogError(`${stream}: ${result.kind}`);
}

/** Undefined for a file that was not kept to its end. */
export async function keptStatement(
  { log, cipher }: Pick<ReconciliationMeans, 'log' | 'cipher'>,
  date: string,
  sha256: string,
): Promise<KeptStatement | undefined> {
  const last = { direction: 'backward', limit: 1 } as const;
  const { events } = await log.readStream(statementStream(date, sha256), last);
  const [event] = await statementEvents.decode(events, cipher);
  if (event?.type !== 'statement-kept') return undefined;
  return { date, sha256, lines: event.data.lines };
}

/** The lines of a statement as a file gave them; `undefined` for a row that means nothing to us. */
export async function* keptLines(
  { log, cipher }: Pick<ReconciliationMeans, 'log' | 'cipher'>,
  { date, sha256 }: KeptStatement,
): AsyncGenerator<readonly MappedLine<Movement | undefined>[]> {
  const stream = statementStream(date, sha256);
  for (let from = 0; ; ) {
    const { events } = await log.readStream(stream, { from, limit: limits.keptEventsPage });
    for (const event of await statementEvents.decode(events, cipher)) {
      if (event.type === 'statement-lines-kept') yield event.data.lines.map(mapped);
    }
    if (events.length < limits.keptEventsPage) return;
    from += events.length;
  }
}

function mapped({ line, movement, bad: problem }: KeptLine): MappedLine<Movement | undefined> {
  if (problem) return bad(line, problem.reason as BadLineReason, problem.detail);
  return { kind: 'row', line, row: movement && fromStored(movement) };
}
