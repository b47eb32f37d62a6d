import { afterEach } from 'vitest';
import type { Psp, PspAnswer, PspPayment, WebhookDelivery } from '../port.ts';

/** What may be asked to go wrong at the provider; the sandbox PSP's README explains each. */
export type PspFault =
  | {
      readonly operation: string;
      readonly do:
        | 'delay'
        | 'cut'
        | 'error'
        | 'gateway_error'
        | 'refuse'
        | 'dispute_later'
        | 'fail_after_paid';
      readonly when?: 'before' | 'after';
      readonly ms?: number;
      readonly times?: number;
    }
  | {
      readonly event: string;
      readonly do: 'delay' | 'double' | 'reorder' | 'lose';
      readonly ms?: number;
      readonly times?: number;
    };

/** A provider to try an adapter against, with a hand on its time and its faults. */
export interface PspSite {
  readonly psp: Psp;
  inject(fault: PspFault): Promise<void>;
  /** Nothing goes wrong any more. */
  clear(): Promise<void>;
  /** The provider's time passes, and what falls due in it happens. Webhooks that are sent have arrived. */
  pass(ms: number): Promise<void>;
  now(): number;
  /** Webhooks as they came, in their order. */
  deliveries(): readonly WebhookDelivery[];
  /** Whether the receiver of webhooks answers with success. */
  receive(ok: boolean): void;
  /** The buyer answers the bank's question; where the browser is led. */
  answerAction(url: string, outcome: 'succeeded' | 'failed'): Promise<string>;
  /** The buyer types a card at a page; where the browser is led, nothing where it stays. */
  giveCard(url: string, number: string): Promise<string>;
  /** Money of the platform's own at the provider. */
  topUp(amount: bigint, currency: string): Promise<void>;
  /** How many of them the provider holds. */
  count(kind: 'payment' | 'refund' | 'payout' | 'page'): Promise<number>;
  /** `kill -9`, and up again; absent where there is no process. */
  readonly kill?: () => Promise<void>;
  close(): Promise<void>;
}

/** The longest an adapter under test waits: short, because tests wait for it. */
export const siteTerms = { keyLifeMs: 82_800_000, callMsMax: 700, inFlightMsMax: 2_000 } as const;
/** A delay that outlasts every wait. */
export const tooLateMs = 1_100;
/** How far the search of the site is behind. */
export const siteSearchLagMs = 60_000;

/** How long things take at the site, in milliseconds: an hour where `pass` is meant to decide. */
export const sitePace = {
  processingMs: 3_600_000,
  refundMs: 3_600_000,
  payoutInTransitMs: 3_600_000,
  payoutPaidMs: 3_600_000,
  payoutFailsMs: 3_600_000,
  disputeMs: 3_600_000,
  disputeDecidedMs: 3_600_000,
  searchLagMs: siteSearchLagMs,
  reportMs: 60_000,
  webhookRetriesMs: [60_000, 600_000],
} as const;

export type OpenSite = () => Promise<PspSite>;

/** Opens a site for each test, and closes what was opened after it. */
export function sites(open: OpenSite): OpenSite {
  const opened: PspSite[] = [];
  afterEach(async () => {
    for (const site of opened.splice(0)) await site.close();
  });
  return async () => {
    const site = await open();
    opened.push(site);
    return site;
  };
}

let numbers = 0;
/** A key or reference that no test has used. */
export function fresh(what: string): string {
  numbers += 1;
  return `${what}-${process.pid}-${numbers}`;
}

export function usd(amount: bigint) {
  return { amount, currency: 'USD' };
}

/** The value of an answer that has to be one. */
export function answeredValue<T>(answer: PspAnswer<T>): T {
  if (answer.kind === 'answered' || answer.kind === 'requires_action') return answer.value;
  throw new Error(`not answered: ${JSON.stringify(answer)}`);
}

export async function created(
  { psp }: PspSite,
  {
    method = 'pm_card_visa',
    capture = 'automatic' as 'automatic' | 'manual',
    amount = usd(1_999n),
    key = fresh('create'),
    reference = fresh('payment'),
  } = {},
): Promise<PspPayment> {
  return answeredValue(await psp.createPayment({ key, reference, amount, method, capture }));
}

export async function confirmed(site: PspSite, payment: PspPayment): Promise<PspPayment> {
  const answer = await site.psp.confirmPayment({ key: fresh('confirm'), paymentId: payment.id });
  return answeredValue(answer);
}

/** A page that takes a card for an hour. */
export function pageRequest({ now }: PspSite) {
  return {
    ...{ key: fresh('page'), reference: fresh('checkout'), currency: 'USD' },
    ...{ returnUrl: 'http://127.0.0.1:9/back?order=7', expiresAt: now() + 3_600_000 },
  };
}

/** A payment that is captured in full. */
export async function captured(site: PspSite, method = 'pm_card_visa'): Promise<PspPayment> {
  return confirmed(site, await created(site, { method }));
}
