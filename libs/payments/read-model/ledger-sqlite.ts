import { type Checkpoint, coversAll } from '@annals/event-log';
import type { ReadTransaction } from '@annals/store-sqlite';
import { dayOf } from '../utc-days.ts';
import {
  type AccountRow,
  type BookedRow,
  Books,
  type EntryRow,
  entriesPageOf,
  entryOf,
  summedAccounts,
} from './books.ts';
import type {
  AccountSums,
  AccountsQuery,
  EntriesPage,
  EntriesQuery,
  EntryPlace,
  LedgerReadModel,
  TrialBalance,
  TrialBalanceQuery,
} from './ledger.ts';
import { answer, type LiveGeneration } from './live.ts';
import { type RevenueRow, summarySql, summed } from './summary.ts';

/** The books in the SQLite file of the live generation. Each answer is read in one transaction. */
export function sqliteLedgerReadModel(live: LiveGeneration): LedgerReadModel {
  return {
    accounts: async (query) => answer(live, (reads) => ({ accounts: accountsPage(reads, query) })),
    account: async (name) =>
      answer(live, (reads) => ({
        accounts: summedAccounts(reads.all<AccountRow>(ledgerSql.account, name)),
      })),
    entries: async (query) => answer(live, (reads) => entriesPage(reads, query)),
    trialBalance: async (query) => {
      const read = answer(live, (reads) => {
        const isAhead =
          query.at === 'checkpoint' && !coversAll(reads.checkpoint(), query.checkpoint);
        return { rows: isAhead ? undefined : trialBalance(reads, query) };
      });
      if (read.kind === 'lost') return read;
      const { rows, ...rest } = read;
      return rows ? { ...rest, rows } : { kind: 'ahead' };
    },
    summary: async (query) =>
      answer(live, (reads) => {
        const { from, to } = query;
        return { rows: summed(reads.all<RevenueRow>(summarySql.revenue, from, to), query) };
      }),
    waitFor: (checkpoint, timeoutMs, signal) => live.waitFor(checkpoint, timeoutMs, signal),
  };
}

const sums = 'posted_debit, posted_credit, pending_debit, pending_credit';
const place = 'recorded_at, event_id, stream';
const entry = `${place}, revision, type, currency, occurred_at, corrects, postings`;

/** Every query of this read model. A test asks SQLite for its plan: all search an index. */
export const ledgerSql = {
  ...summarySql,
  account: `SELECT account, currency, ${sums} FROM accounts WHERE account = ?
    ORDER BY account, currency`,
  accounts: `SELECT a.account, a.currency, ${sums} FROM
    (SELECT DISTINCT account, currency FROM accounts WHERE (account, currency) > (?, ?)
      ORDER BY account, currency LIMIT ? + 0) k
    CROSS JOIN accounts a ON a.account = k.account AND a.currency = k.currency
    ORDER BY a.account, a.currency`,
  entries: `SELECT ${entry} FROM entries
    WHERE (day, ${place}) > (?, ?, ?, ?) AND (day, recorded_at) < (?, ?)
    ORDER BY day, ${place} LIMIT ? + 0`,
  entriesOf: `SELECT partition, position FROM account_entries
    WHERE account = ? AND (${place}) > (?, ?, ?) AND recorded_at < ? ORDER BY ${place} LIMIT ? + 0`,
  entry: `SELECT ${entry} FROM entries WHERE partition = ? AND position = ?`,
  days: `SELECT kind AS account, currency, ${sums} FROM days WHERE day < ?`,
  booked: 'SELECT currency, postings FROM entries WHERE day = ? AND recorded_at < ?',
  bookedAfter: 'SELECT currency, postings FROM entries WHERE partition = ? AND position > ?',
} as const;

function accountsPage(reads: ReadTransaction, { after, limit }: AccountsQuery): AccountSums[] {
  const { account = '', currency = '' } = after ?? {};
  return summedAccounts(reads.all<AccountRow>(ledgerSql.accounts, account, currency, limit));
}

/** Text greater than every day, and a time after every time. */
const endOfDays = '~';
const endOfTime = Number.MAX_SAFE_INTEGER;

function entriesPage(reads: ReadTransaction, query: EntriesQuery): EntriesPage {
  const { account, from = 0, before = endOfTime, after, limit } = query;
  // No event has an empty id: this place is just before all that was recorded then.
  const first: EntryPlace = { recordedAt: from, eventId: '', stream: '' };
  const start = after && after.recordedAt >= from ? after : first;
  const begin = [start.recordedAt, start.eventId, start.stream] as const;
  const days = [dayOf(start.recordedAt), before === endOfTime ? endOfDays : dayOf(before)] as const;
  const rows: EntryRow[] =
    account === undefined
      ? reads.all<EntryRow>(ledgerSql.entries, days[0], ...begin, days[1], before, limit + 1)
      : reads
          .all<InLogRow>(ledgerSql.entriesOf, account, ...begin, before, limit + 1)
          .map((row) => entryAt(reads, row));
  return entriesPageOf(rows.map(entryOf), limit);
}

/** Where in the log the event of an entry stands. */
interface InLogRow {
  readonly partition: number;
  readonly position: string;
}

function entryAt(reads: ReadTransaction, { partition, position }: InLogRow): EntryRow {
  const row = reads.get<EntryRow>(ledgerSql.entry, partition, position);
  if (!row) throw new Error(`the ledger names an entry of ${partition}/${position}, and has none`);
  return row;
}

function trialBalance(reads: ReadTransaction, query: TrialBalanceQuery): TrialBalance['rows'] {
  const books = new Books();
  const day = query.at === 'time' ? dayOf(query.before) : endOfDays;
  for (const row of reads.all<AccountRow>(ledgerSql.days, day)) books.add(row.account, row);
  if (query.at === 'time') {
    const booked = reads.all<BookedRow>(ledgerSql.booked, day, query.before);
    for (const row of booked) books.post(row, 1n);
  }
  if (query.at === 'checkpoint') takeBack(reads, books, query.checkpoint);
  return books.trialBalance();
}

/** What was booked behind the checkpoint is taken off: near the end of the log that is little. */
function takeBack(reads: ReadTransaction, books: Books, checkpoint: Checkpoint): void {
  for (const partition of Object.keys(reads.checkpoint()).map(Number)) {
    const reached = checkpoint[partition] ?? '';
    const booked = reads.all<BookedRow>(ledgerSql.bookedAfter, partition, reached);
    for (const row of booked) books.post(row, -1n);
  }
}
