import { type Checkpoint, coversAll } from '@annals/event-log';
import type { LedgerReadModel } from '@annals/payments';
import type { Row } from '@annals/projection';
import { isBookedAt, type PostingOfEntry, postingsIn } from './twin-entries.ts';
import type { TwinReads } from './twin-reads.ts';

/** What reports are asked of: `trialBalance` and `summary` of the ledger. */
type Reports = Pick<LedgerReadModel, 'trialBalance' | 'summary'>;
type TrialBalanceQuery = Parameters<Reports['trialBalance']>[0];
type SummaryQuery = Parameters<Reports['summary']>[0];

/** Reports over the store twin: every posting that is asked for is added up. */
export function twinReports(reads: TwinReads): Reports {
  return {
    trialBalance: async (query) => {
      const found = await reads.answer(async (rows, asOf) => {
        const entries = (await rows('entries')).filter((entry) => isAsked(entry, query));
        const rowsOf = trialBalanceOf(postingsIn(entries));
        return { rows: rowsOf, isAhead: isAhead(query, asOf) };
      });
      if (found.kind !== 'answer') return found;
      const { isAhead: hasNotCome, ...answer } = found;
      return hasNotCome ? { kind: 'ahead' } : answer;
    },
    summary: (query) =>
      reads.answer(async (rows) => ({ rows: summaryOf(await rows('revenue'), query) })),
  };
}

function isAhead(query: TrialBalanceQuery, asOf: Checkpoint): boolean {
  return query.at === 'checkpoint' && !coversAll(asOf, query.checkpoint);
}

function isAsked(entry: Row, query: TrialBalanceQuery): boolean {
  if (query.at === 'now') return true;
  if (query.at === 'time') return Number(entry.recorded_at) < query.before;
  return isBookedAt(entry, query.checkpoint);
}

const nothing = { postedDebit: 0n, postedCredit: 0n, pendingDebit: 0n, pendingCredit: 0n };

function trialBalanceOf(postings: readonly PostingOfEntry[]) {
  const sums = new Map<string, typeof nothing & { kind: string; currency: string }>();
  for (const { currency, account, balance, side, amount } of postings) {
    const [kind = ''] = account.split(':');
    const sum = sums.get(`${kind} ${currency}`) ?? { kind, currency, ...nothing };
    const column = `${balance}${side === 'debit' ? 'Debit' : 'Credit'}` as keyof typeof nothing;
    sum[column] += amount;
    sums.set(`${kind} ${currency}`, sum);
  }
  return [...sums.values()];
}

const nothingSold = { captures: 0, gross: 0n, platformFees: 0n, pspFees: 0n, refunds: 0n };

function summaryOf(rows: readonly Row[], { from, to, currency, seller, by }: SummaryQuery) {
  const wanted = rows.filter(
    (row) =>
      String(row.day) >= from &&
      String(row.day) <= to &&
      (currency ?? row.currency) === row.currency &&
      (seller ?? row.seller_account) === row.seller_account,
  );
  const sums = new Map<string, typeof nothingSold & { day?: string; currency: string }>();
  for (const row of wanted) {
    const group = {
      ...(by.includes('day') ? { day: String(row.day) } : {}),
      ...(by.includes('seller') ? { seller: String(row.seller_account) } : {}),
      currency: String(row.currency),
    };
    const key = JSON.stringify(group);
    const sum = sums.get(key) ?? { ...group, ...nothingSold };
    sum.captures += Number(row.captures);
    sum.gross += BigInt(String(row.gross));
    sum.platformFees += BigInt(String(row.platform_fees));
    sum.pspFees += BigInt(String(row.psp_fees));
    sum.refunds += BigInt(String(row.refunds));
    sums.set(key, sum);
  }
  return [...sums.values()].map((sum) => {
    return { ...sum, netRevenue: sum.platformFees - sum.pspFees };
  });
}
