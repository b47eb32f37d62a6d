import { type JournalEntry, signed } from '../journal.ts';

/** What one event adds to the summary report of its day, seller and currency. Minor units. */
export interface RevenueChange {
  readonly captures: number;
  readonly gross: bigint;
  readonly platformFees: bigint;
  readonly pspFees: bigint;
  /** What buyers got back: a refund that fails after it had succeeded takes it off again. */
  readonly refunds: bigint;
}

const none: RevenueChange = { captures: 0, gross: 0n, platformFees: 0n, pspFees: 0n, refunds: 0n };

type Members = { readonly [member: string]: unknown };

/** `entry` is what `journalOf` says of the event. */
export function revenueOf(
  { type, data }: { readonly type: string; readonly data: unknown },
  entry: JournalEntry,
): RevenueChange | undefined {
  const members = data as Members;
  const amount = (member: string) => BigInt(members[member] as string);
  switch (type) {
    case 'order-captured':
      return {
        ...none,
        captures: 1,
        gross: amount('amount'),
        platformFees: amount('platform_fee'),
        pspFees: amount('psp_fee'),
      };
    case 'refund-succeeded':
      return { ...none, refunds: amount('amount') };
    case 'refund-failed':
      return members.after_succeeded === true ? { ...none, refunds: -amount('amount') } : undefined;
    case 'dispute-opened':
      return { ...none, pspFees: amount('psp_fee') };
    case 'settlement-booked':
    case 'break-corrected':
    case 'break-resolved':
    case 'manual-entry-booked': {
      const pspFees = debited(entry, 'psp_fees');
      const platformFees = -debited(entry, 'platform_fees');
      if (pspFees === 0n && platformFees === 0n) return undefined;
      return { ...none, pspFees, platformFees };
    }
    default:
      return undefined;
  }
}

/** What an entry of files, corrections or people has changed an account by, so that the report says what the account does. */
function debited({ postings }: JournalEntry, account: 'psp_fees' | 'platform_fees'): bigint {
  const own = postings.filter((posting) => posting.account === account);
  return own.reduce((sum, posting) => sum + signed(posting), 0n);
}
