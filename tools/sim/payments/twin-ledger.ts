import type { AccountSums, EntriesPage, LedgerReadModel, Posting } from '@annals/payments';
import type { Row } from '@annals/projection';
import { postingsIn } from './twin-entries.ts';
import { inOrder, type TwinReads } from './twin-reads.ts';
import { twinReports } from './twin-reports.ts';

interface EntryRow {
  readonly recorded_at: number;
  readonly event_id: string;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly currency: string;
  readonly occurred_at: number;
  readonly corrects: string;
}

type Sums = { -readonly [Name in keyof AccountSums]: AccountSums[Name] };

/** Accounts, entries and reports over the store twin: tables are read whole, and sorted. */
export function twinLedger(reads: TwinReads): LedgerReadModel {
  return {
    ...twinReports(reads),
    waitFor: reads.waitFor,
    account: (name) =>
      reads.answer(async (rows) => {
        const own = (await rows('accounts')).filter(({ account }) => account === name);
        const order = (one: AccountSums, other: AccountSums) =>
          one.currency < other.currency ? -1 : 1;
        return { accounts: summed(own).toSorted(order) };
      }),
    accounts: ({ after, limit }) =>
      reads.answer(async (rows) => {
        const place = after && [after.account, after.currency];
        const named = summed(await rows('accounts')).map((sums) => {
          return { account: sums.account, currency: sums.currency, sums };
        });
        const page = inOrder(named, ['account', 'currency'], { after: place, limit });
        return { accounts: page.map(({ sums }) => sums) };
      }),
    entries: ({ account, from = 0, before = Number.POSITIVE_INFINITY, after, limit }) =>
      reads.answer(async (rows) => {
        const all = await rows('entries');
        const postings = postingsByEntry(all);
        const wanted = (all as unknown as EntryRow[]).filter((entry) => {
          if (entry.recorded_at < from || entry.recorded_at >= before) return false;
          const own = postings.get(placeOf(entry)) ?? [];
          return account === undefined || own.some((posting) => posting.account === account);
        });
        const place = after && [after.recordedAt, after.eventId, after.stream];
        const range = { after: place, limit: limit + 1 };
        const found = inOrder(wanted, ['recorded_at', 'event_id', 'stream'], range);
        return page(found, postings, limit);
      }),
  };
}

function page(
  found: readonly EntryRow[],
  postings: ReadonlyMap<string, readonly Posting[]>,
  limit: number,
): EntriesPage {
  const entries = found.slice(0, limit).map((entry) => {
    const { recorded_at: recordedAt, event_id: eventId, occurred_at: occurredAt } = entry;
    const { stream, revision, type, currency, corrects } = entry;
    const told = { recordedAt, eventId, occurredAt, stream, revision, type, currency };
    const corrected = corrects === '' ? {} : { corrects };
    return { ...told, ...corrected, postings: postings.get(placeOf(entry)) ?? [] };
  });
  const last = entries.at(-1);
  if (found.length <= limit || !last) return { entries, next: undefined };
  const { recordedAt, eventId, stream } = last;
  return { entries, next: { recordedAt, eventId, stream } };
}

function placeOf({ stream, revision }: Pick<EntryRow, 'stream' | 'revision'>): string {
  return `${stream}@${revision}`;
}

function postingsByEntry(entries: readonly Row[]): ReadonlyMap<string, readonly Posting[]> {
  const postings = new Map<string, Posting[]>();
  for (const { account, balance, side, amount, ...place } of postingsIn(entries)) {
    const own = postings.get(placeOf(place)) ?? [];
    postings.set(placeOf(place), [...own, { account, balance, side, amount }]);
  }
  return postings;
}

/** The rows of an account in all partitions, added up. */
function summed(rows: readonly Row[]): readonly AccountSums[] {
  const sums = new Map<string, Sums>();
  for (const row of rows) {
    const [account, currency] = [String(row.account), String(row.currency)];
    const none = { postedDebit: 0n, postedCredit: 0n, pendingDebit: 0n, pendingCredit: 0n };
    const sum = sums.get(`${account} ${currency}`) ?? { account, currency, ...none };
    sum.postedDebit += BigInt(String(row.posted_debit));
    sum.postedCredit += BigInt(String(row.posted_credit));
    sum.pendingDebit += BigInt(String(row.pending_debit));
    sum.pendingCredit += BigInt(String(row.pending_credit));
    sums.set(`${account} ${currency}`, sum);
  }
  return [...sums.values()];
}
