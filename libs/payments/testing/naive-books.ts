import type { Checkpoint, StoredEvent } from '@annals/event-log';
import type { RecordedPaymentsEvent } from '../events.ts';
import { journalOf } from '../journal.ts';
import type {
  AccountSums,
  LedgerEntry,
  SummaryQuery,
  SummaryRow,
  Sums,
} from '../read-model/ledger.ts';
import { compare } from '../read-model/summary.ts';

type Booked = LedgerEntry &
  Pick<StoredEvent, 'partition' | 'position'> & { readonly data: Members };
type Members = { readonly [member: string]: string };

/** The books as an array of entries that is filtered and added up: what the read models must agree with. */
export class NaiveBooks {
  readonly entries: readonly Booked[];

  constructor(events: readonly RecordedPaymentsEvent[]) {
    const booked = events.flatMap((event) => {
      const entry = journalOf(event);
      if (!entry) return [];
      const { id: eventId, data, ...rest } = event;
      return [{ ...rest, ...entry, eventId, data: data as unknown as Members }];
    });
    this.entries = booked.sort(
      (a, b) =>
        a.recordedAt - b.recordedAt || compare(a.eventId, b.eventId) || compare(a.stream, b.stream),
    );
  }

  /** Sums by account, or by kind of account. */
  sums(by: 'account' | 'kind', isIn: (entry: Booked) => boolean = () => true): AccountSums[] {
    const sums = new Map<string, AccountSums>();
    for (const entry of this.entries.filter(isIn)) {
      for (const { account: name, balance, side, amount } of entry.postings) {
        const account = by === 'kind' ? (name.split(':')[0] ?? '') : name;
        const { currency } = entry;
        const key = `${account} ${currency}`;
        const sum = sums.get(key) ?? { account, currency, ...none };
        const column = `${balance}${side === 'debit' ? 'Debit' : 'Credit'}` as keyof Sums;
        sums.set(key, { ...sum, [column]: sum[column] + amount });
      }
    }
    return [...sums.values()];
  }

  isCovered(checkpoint: Checkpoint): (entry: Booked) => boolean {
    return ({ partition, position }) => position <= (checkpoint[partition] ?? '');
  }

  summary({ from, to, currency, seller, by }: SummaryQuery): SummaryRow[] {
    const rows = new Map<string, SummaryRow>();
    for (const { recordedAt, type, data, currency: of } of this.entries) {
      const day = new Date(recordedAt).toISOString().slice(0, 10);
      const account = data.seller_account ?? '';
      const isPaid = type === 'order-captured';
      const isFee = isPaid || type === 'dispute-opened';
      const told = feesTold(type, data);
      const waived = linesOf(data, 'platform_fees');
      const isBack = type === 'refund-failed' && String(data.after_succeeded) === 'true';
      const isTold = told !== 0n || waived !== 0n;
      if (!isFee && !isTold && type !== 'refund-succeeded' && !isBack) continue;
      if (day < from || day > to || (currency ?? of) !== of || (seller ?? account) !== account)
        continue;
      const row = {
        ...(by.includes('day') ? { day } : {}),
        ...(by.includes('seller') ? { seller: account } : {}),
        currency: of,
      };
      const sum = rows.get(JSON.stringify(row)) ?? { ...row, ...noRevenue };
      const platformFee = BigInt((isPaid ? data.platform_fee : '0') ?? '0') - waived;
      const pspFee = BigInt((isFee ? data.psp_fee : '0') ?? '0') + told;
      const amount = BigInt(data.amount ?? '0');
      const refunds = type === 'refund-succeeded' ? amount : isBack ? -amount : 0n;
      rows.set(JSON.stringify(row), {
        ...sum,
        captures: sum.captures + (isPaid ? 1 : 0),
        gross: sum.gross + (isPaid ? amount : 0n),
        platformFees: sum.platformFees + platformFee,
        pspFees: sum.pspFees + pspFee,
        refunds: sum.refunds + refunds,
        netRevenue: sum.netRevenue + platformFee - pspFee,
      });
    }
    return [...rows.values()];
  }
}

interface Line {
  readonly debit: string;
  readonly credit: string;
  readonly amount: string;
}

/** Fees that came with a settlement file. */
function feesTold(type: string, data: Members): bigint {
  if (type === 'settlement-booked') {
    return BigInt(data.fees ?? '0') - BigInt(data.fees_returned ?? '0');
  }
  return linesOf(data, 'psp_fees');
}

/** What the lines of an entry debit an account with. */
function linesOf(data: Members, account: string): bigint {
  const { entry } = data as unknown as { readonly entry?: { readonly lines: readonly Line[] } };
  return (entry?.lines ?? []).reduce((sum, { debit, credit, amount }) => {
    const of = (name: string) => (name === account ? BigInt(amount) : 0n);
    return sum + of(debit) - of(credit);
  }, 0n);
}

const none = { postedDebit: 0n, postedCredit: 0n, pendingDebit: 0n, pendingCredit: 0n };
const noRevenue = {
  ...{ captures: 0, gross: 0n, platformFees: 0n, pspFees: 0n, refunds: 0n, netRevenue: 0n },
};
