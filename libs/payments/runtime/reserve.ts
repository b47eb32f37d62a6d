import type { Clock } from '@annals/core';
import type { AccountSums, EntryPlace, LedgerReadModel } from '../read-model/ledger.ts';
import type { Payments } from '../service.ts';
import { dayMs, dayOf } from '../utc-days.ts';
import type { DayMarks } from './day-marks.ts';
import type { ScheduledStep } from './schedule.ts';

export interface ReserveMeans {
  readonly payments: Payments;
  readonly ledger: Pick<LedgerReadModel, 'accounts' | 'entries'>;
  readonly marks: DayMarks;
  readonly clock: Pick<Clock, 'now'>;
  /** How long money is held back. */
  readonly reserveDays: number;
}

export const reserveLimits = { pageAccounts: 200, pageEntries: 500, everyMs: 60_000 } as const;

const prefix = 'seller_reserve:';

/**
 * Lets go of what was held back for long enough, once a day: of what is in reserve, all that did not come in within
 * the last days. What was taken out meanwhile was the oldest of it.
 */
export function reserveStep(means: ReserveMeans): ScheduledStep {
  const { marks, clock } = means;
  return {
    name: 'reserve',
    everyMs: reserveLimits.everyMs,
    run: async (signal) => {
      const today = dayOf(clock.now());
      const due = await marks.due(today, clock.now());
      if (due.length === 0) return 'done';
      if (!(await releaseAll(means, signal))) return 'later';
      // The days that were missed are made up for by the last one: it looks at all that is held.
      await marks.mark(today, clock.now());
      return 'done';
    },
  };
}

async function releaseAll(means: ReserveMeans, signal: AbortSignal): Promise<boolean> {
  const { pageAccounts: limit } = reserveLimits;
  let all = true;
  for (let after = { account: prefix, currency: '' }; !signal.aborted; ) {
    const page = await means.ledger.accounts({ after, limit });
    if (page.kind === 'lost') return false;
    const held = page.accounts.filter(({ account }) => account.startsWith(prefix));
    for (const account of held) {
      if (signal.aborted) return false;
      if (!(await releaseOf(means, account))) all = false;
    }
    const last = held.at(-1);
    // Accounts come by their names: the first one of another kind is behind all reserves.
    if (!last || page.accounts.length < limit || held.length < page.accounts.length) return all;
    after = last;
  }
  return false;
}

async function releaseOf(means: ReserveMeans, sums: AccountSums): Promise<boolean> {
  const held = sums.postedCredit - sums.postedDebit;
  if (held <= 0n) return true;
  const young = await recentCredits(means, sums, held);
  if (young === undefined) return false;
  if (young >= held) return true;
  const { account, currency } = sums;
  const seller = account.slice(prefix.length);
  const amount = held - young;
  // One for each day: what is left over, or comes to be old meanwhile, is let go of tomorrow.
  const releaseId = `aged~${currency}~${dayOf(means.clock.now())}`;
  const changed = await means.payments.releaseReserve(seller, { releaseId, currency, amount });
  if (changed.kind === 'refused') return !changed.reason.startsWith('wallet-');
  return changed.kind === 'changed';
}

/** What came in within the last days, counted up to `enough`; undefined where the books are lost. */
async function recentCredits(
  { ledger, clock, reserveDays }: ReserveMeans,
  { account, currency }: AccountSums,
  enough: bigint,
): Promise<bigint | undefined> {
  const from = clock.now() - reserveDays * dayMs;
  let sum = 0n;
  for (let after: EntryPlace | undefined; ; ) {
    const { pageEntries: limit } = reserveLimits;
    const page = await ledger.entries({ account, from, limit, ...(after ? { after } : {}) });
    if (page.kind === 'lost') return undefined;
    for (const entry of page.entries) {
      if (entry.currency !== currency) continue;
      for (const posting of entry.postings) {
        if (posting.account === account && posting.side === 'credit') sum += posting.amount;
      }
    }
    if (!page.next || sum >= enough) return sum;
    after = page.next;
  }
}
