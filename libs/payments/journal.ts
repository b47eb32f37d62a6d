import type { PaymentsEvent } from './events.ts';

/**
 * The books. Each event that moves money is one journal entry of postings, and this table says which: ledger and
 * wallets are functions of it, so that nothing can be charged and not booked. Double entry: each line debits one
 * account and credits another by the same amount. Entries are never edited: a correction is a new entry.
 *
 * `posted` lines are money that has moved; `pending` ones are held by an authorization, and are taken back by the
 * event that ends it.
 */

export const accountKinds = [
  'buyer',
  'psp_clearing',
  'psp_fees',
  'platform_fees',
  'seller_pending',
  'seller_available',
  'seller_reserve',
  'seller_disputed',
  'refunds',
  'disputes',
  'payouts_in_transit',
  'bank',
  'losses',
  'fx_difference',
  'suspense',
] as const;
export type AccountKind = (typeof accountKinds)[number];

/** Accounts that every seller has of its own: `seller_available:shop-1`. All others are the platform's. */
const ofSellers: ReadonlySet<AccountKind> = new Set([
  'seller_pending',
  'seller_available',
  'seller_reserve',
  'seller_disputed',
]);

/** Whether there is such an account: one of the platform's, or a seller's own. */
export function isAccount(name: string): boolean {
  const kind = kindOf(name) as AccountKind;
  if (!accountKinds.includes(kind)) return false;
  const seller = sellerOfAccount(name);
  return ofSellers.has(kind) ? seller !== undefined && seller !== '' : seller === undefined;
}

/** `seller_available` of `seller_available:shop-1`. */
export function kindOf(account: string): string {
  const colon = account.indexOf(':');
  return colon < 0 ? account : account.slice(0, colon);
}

/** Whose account it is; undefined for one of the platform. */
export function sellerOfAccount(name: string): string | undefined {
  const colon = name.indexOf(':');
  return colon < 0 ? undefined : name.slice(colon + 1);
}

export interface PostingRule<Member extends string = string> {
  readonly debit: AccountKind;
  readonly credit: AccountKind;
  /** The member of the event that holds the amount. */
  readonly amount: Member;
  readonly balance: 'posted' | 'pending';
  /** Only where this member of the event is true (or false). */
  readonly when?: { readonly member: string; readonly is: boolean };
}

/** The event names the accounts itself: each line of this member's entry is booked as it stands, and posted. */
export interface EntryRule {
  readonly entry: 'entry';
}

/** An entry that names its accounts: what somebody, or a rule, found to be missing in the books. */
interface NamedEntry {
  readonly currency: string;
  readonly lines: readonly {
    readonly debit: string;
    readonly credit: string;
    readonly amount: string;
  }[];
  /** Of reconciliation: what the entry changes on our side. */
  readonly movements?: readonly { readonly corrects?: string | undefined }[];
}

function posts<Member extends string>(
  debit: AccountKind,
  credit: AccountKind,
  amount: Member,
): PostingRule<Member> {
  return { debit, credit, amount, balance: 'posted' };
}

function holds(debit: AccountKind, credit: AccountKind, amount: string): PostingRule {
  return { debit, credit, amount, balance: 'pending' };
}

/** What has left the balance at the provider, and was no single payment. */
export const settledRules = [
  posts('bank', 'psp_clearing', 'to_bank'),
  posts('psp_clearing', 'bank', 'from_bank'),
  posts('psp_fees', 'psp_clearing', 'fees'),
  posts('psp_clearing', 'psp_fees', 'fees_returned'),
];

type Rules = readonly PostingRule[] | EntryRule;

/** What is booked for each event that moves money; all other events book nothing. */
export const postingTable: { readonly [Type in PaymentsEvent['type']]?: Rules } = {
  'attempt-authorized': [holds('psp_clearing', 'buyer', 'amount')],
  'attempt-voided': [holds('buyer', 'psp_clearing', 'authorized')],
  'order-captured': [
    holds('buyer', 'psp_clearing', 'authorized'),
    posts('psp_clearing', 'buyer', 'amount'),
    posts('buyer', 'seller_pending', 'net'),
    posts('buyer', 'platform_fees', 'platform_fee'),
    posts('psp_fees', 'psp_clearing', 'psp_fee'),
  ],
  'order-released': [
    posts('seller_pending', 'seller_available', 'amount'),
    posts('seller_available', 'seller_reserve', 'reserve'),
  ],
  'refund-requested': [
    posts('seller_pending', 'refunds', 'pending'),
    posts('seller_available', 'refunds', 'available'),
  ],
  'refund-succeeded': [posts('refunds', 'psp_clearing', 'amount')],
  'refund-failed': [
    {
      ...posts('psp_clearing', 'refunds', 'amount'),
      when: { member: 'after_succeeded', is: true },
    },
    posts('refunds', 'seller_pending', 'pending'),
    posts('refunds', 'seller_available', 'available'),
  ],
  'dispute-opened': [
    posts('disputes', 'psp_clearing', 'amount'),
    posts('psp_fees', 'psp_clearing', 'psp_fee'),
    posts('seller_pending', 'seller_disputed', 'pending'),
    posts('seller_available', 'seller_disputed', 'available'),
  ],
  'dispute-won': [
    posts('psp_clearing', 'disputes', 'amount'),
    posts('seller_disputed', 'seller_pending', 'pending'),
    posts('seller_disputed', 'seller_available', 'available'),
  ],
  'dispute-lost': [posts('seller_disputed', 'disputes', 'amount')],
  'payout-requested': [posts('seller_available', 'payouts_in_transit', 'amount')],
  'payout-paid': [posts('payouts_in_transit', 'bank', 'amount')],
  'payout-failed': [
    {
      ...posts('payouts_in_transit', 'seller_available', 'amount'),
      when: { member: 'after_paid', is: false },
    },
    { ...posts('bank', 'seller_available', 'amount'), when: { member: 'after_paid', is: true } },
  ],
  'reserve-released': [posts('seller_reserve', 'seller_available', 'amount')],
  'settlement-booked': settledRules,
  'break-corrected': { entry: 'entry' },
  'break-resolved': { entry: 'entry' },
  'manual-entry-booked': { entry: 'entry' },
};

export interface Posting {
  /** `bank`, or `seller_available:shop-1`. */
  readonly account: string;
  readonly balance: 'posted' | 'pending';
  /** Minor units above zero. */
  readonly amount: bigint;
  readonly side: 'debit' | 'credit';
}

export interface JournalEntry {
  readonly currency: string;
  /** The id of the event whose entry this one corrects. */
  readonly corrects?: string;
  readonly postings: readonly Posting[];
}

/** Debits and credits of an entry differ: it must be neither written nor read. */
export class UnbalancedEntryError extends Error {
  readonly code = 'unbalanced-entry';
  constructor(type: string, balance: string, off: bigint) {
    super(`${type}: its ${balance} debits and credits differ by ${off}`);
    this.name = 'UnbalancedEntryError';
  }
}

/** What an event says is booked must add up before it is booked: `amount` is the sum of these members. */
const sums: { readonly [Type in PaymentsEvent['type']]?: readonly string[] } = {
  'order-captured': ['platform_fee', 'net'],
  'refund-requested': ['pending', 'available'],
  'refund-failed': ['pending', 'available'],
  'dispute-opened': ['pending', 'available'],
  'dispute-won': ['pending', 'available'],
};

type Members = { readonly [member: string]: unknown };

/**
 * The journal entry of an event; undefined where it moves no money. Pure. Throws UnbalancedEntryError for an event
 * whose amounts do not add up, and RangeError for an amount below zero and an account that there is not: such an
 * event must not be written.
 */
export function journalOf({
  type,
  data,
}: {
  readonly type: string;
  readonly data: unknown;
}): JournalEntry | undefined {
  const rules = postingTable[type as PaymentsEvent['type']];
  if (!rules) return undefined;
  const members = data as Members;
  if ('entry' in rules) return entryOf(type, members);
  assertSums(type, members);
  const postings: Posting[] = [];
  for (const { debit, credit, amount: member, balance, when } of rules) {
    if (when && members[when.member] !== when.is) continue;
    const amount = amountOf(type, members, member);
    if (amount === 0n) continue;
    postings.push({ account: accountOf(debit, members), side: 'debit', amount, balance });
    postings.push({ account: accountOf(credit, members), side: 'credit', amount, balance });
  }
  if (postings.length === 0) return undefined;
  const entry = { currency: members.currency as string, postings };
  assertBalanced(type, entry);
  return entry;
}

/** Why one of these events must not be written: what it books does not add up. */
export function entryProblem(
  events: readonly { readonly type: string; readonly data: unknown }[],
): string | undefined {
  try {
    for (const event of events) journalOf(event);
  } catch (error) {
    if (error instanceof UnbalancedEntryError || error instanceof RangeError) return error.message;
    throw error;
  }
  return undefined;
}

function entryOf(type: string, members: Members): JournalEntry | undefined {
  const named = members.entry as NamedEntry | undefined;
  if (!named) return undefined;
  const postings = named.lines.flatMap(({ debit, credit, amount: text }): Posting[] => {
    const amount = BigInt(text);
    if (amount <= 0n) throw new RangeError(`${type}: an amount is not above zero`);
    const wrong = [debit, credit].find((account) => !isAccount(account));
    if (wrong !== undefined) throw new RangeError(`${type}: there is no account ${wrong}`);
    const line = { balance: 'posted', amount } as const;
    return [
      { ...line, account: debit, side: 'debit' },
      { ...line, account: credit, side: 'credit' },
    ];
  });
  const moved = named.movements?.find((movement) => movement.corrects !== undefined);
  const corrects = moved?.corrects ?? (members.corrects as string | undefined);
  return { currency: named.currency, ...(corrects === undefined ? {} : { corrects }), postings };
}

function amountOf(type: string, members: Members, member: string): bigint {
  const amount = BigInt(members[member] as string);
  if (amount < 0n) throw new RangeError(`${type}: ${member} is below zero`);
  return amount;
}

function accountOf(kind: AccountKind, members: Members): string {
  return ofSellers.has(kind) ? `${kind}:${members.seller_account as string}` : kind;
}

function assertSums(type: string, members: Members): void {
  const parts = sums[type as PaymentsEvent['type']];
  if (!parts) return;
  const sum = parts.reduce((total, part) => total + amountOf(type, members, part), 0n);
  const off = amountOf(type, members, 'amount') - sum;
  if (off !== 0n) throw new UnbalancedEntryError(type, parts.join(' + '), off);
}

/** Throws UnbalancedEntryError unless debits and credits are equal, posted and pending each. */
export function assertBalanced(type: string, { postings }: JournalEntry): void {
  for (const balance of ['posted', 'pending'] as const) {
    let off = 0n;
    for (const posting of postings) {
      if (posting.balance === balance) off += signed(posting);
    }
    if (off !== 0n) throw new UnbalancedEntryError(type, balance, off);
  }
}

/** Debits above zero, credits below. */
export function signed({ side, amount }: Pick<Posting, 'side' | 'amount'>): bigint {
  return side === 'debit' ? amount : -amount;
}
