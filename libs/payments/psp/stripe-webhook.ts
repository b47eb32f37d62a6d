import type Stripe from 'stripe';
import { z } from 'zod';
import {
  type HintsPage,
  type HintsQuery,
  hintsPageMax,
  type ParsedWebhook,
  type PspHint,
  type PspObjectKind,
  type WebhookDelivery,
} from './port.ts';

export const webhookLimits = {
  /** Stripe's events have some kilobytes. */
  bodyBytesMax: 262_144,
  /** How old a delivery may be: Stripe's own tolerance. */
  toleranceSeconds: 300,
  secretsMax: 8,
} as const;

/** Which object an event is about; other events are ignored. */
const kinds: readonly (readonly [RegExp, PspObjectKind])[] = [
  [/^payment_intent\./, 'payment'],
  [/^(?:refund\.|charge\.refund\.)/, 'refund'],
  [/^charge\.dispute\./, 'dispute'],
  [/^payout\./, 'payout'],
  [/^setup_intent\./, 'authentication'],
  [/^checkout\.session\./, 'page'],
];

const envelope = z.object({
  id: z.string().min(1),
  type: z.string().min(1),
  created: z.int().nonnegative(),
  data: z.object({ object: z.object({ id: z.string().min(1) }) }),
});

export interface WebhookMeans {
  readonly psp: string;
  readonly webhooks: Stripe['webhooks'];
  /** The secrets that deliveries may be signed with: two while one is being replaced. */
  readonly secrets: readonly string[];
  readonly toleranceSeconds: number;
}

/** Checks the signature over the very bytes that came, then reads what the event is about. */
export function parseStripeWebhook(means: WebhookMeans, delivery: WebhookDelivery): ParsedWebhook {
  const { body } = delivery;
  if (body.byteLength > webhookLimits.bodyBytesMax) {
    const detail = `${body.byteLength} bytes, at most ${webhookLimits.bodyBytesMax} are taken`;
    return { kind: 'refused', reason: 'too_large', detail };
  }
  const believed = verify(means, delivery);
  if (believed.kind === 'refused') return believed;
  const parsed = envelope.safeParse(believed.event);
  if (!parsed.success) {
    return { kind: 'refused', reason: 'malformed', detail: 'it is no event of Stripe' };
  }
  const hint = hintOf(means.psp, parsed.data);
  if (hint) return { kind: 'hint', hint };
  return { kind: 'ignored', eventId: parsed.data.id, type: parsed.data.type };
}

/** Undefined for an event that Annals does not follow. */
function hintOf(
  psp: string,
  { id, type, created, data }: z.output<typeof envelope>,
): PspHint | undefined {
  const kind = kinds.find(([pattern]) => pattern.test(type))?.[1];
  if (!kind) return undefined;
  const object = { kind, id: data.object.id };
  return { psp, eventId: id, type, object, occurredAt: created * 1_000 };
}

/** What happens at Stripe without a call of ours, or long after it. Stripe takes 20 of them at most. */
const listedTypes = [
  ...['updated', 'failed'].map((what) => `refund.${what}`),
  'charge.refund.updated',
  ...['created', 'updated', 'closed', 'funds_withdrawn', 'funds_reinstated'].map(
    (what) => `charge.dispute.${what}`,
  ),
  ...['updated', 'paid', 'failed', 'canceled'].map((what) => `payout.${what}`),
  ...['succeeded', 'setup_failed', 'canceled'].map((what) => `setup_intent.${what}`),
  ...['completed', 'expired'].map((what) => `checkout.session.${what}`),
];

/** A page of Stripe's events: kept for 30 days, the newest first. Throws the client's errors. */
export async function stripeHints(
  stripe: Stripe,
  psp: string,
  { from, to, after, limit = hintsPageMax }: HintsQuery,
): Promise<HintsPage> {
  const created = { gte: Math.floor(from / 1_000), lt: Math.ceil(to / 1_000) };
  const page = await stripe.events.list({
    ...{ created, types: listedTypes, limit },
    ...(after === undefined ? {} : { starting_after: after }),
  });
  const hints = page.data.flatMap((event) => hintOf(psp, envelope.parse(event)) ?? []);
  return { hints, next: page.has_more ? page.data.at(-1)?.id : undefined };
}

type Refusal = Extract<ParsedWebhook, { readonly kind: 'refused' }>;

/** One secret suffices. A signature that is right but too old is told apart from a wrong one. */
function verify(
  { webhooks, secrets, toleranceSeconds }: WebhookMeans,
  { body, signature, receivedAt }: WebhookDelivery,
): { readonly kind: 'event'; readonly event: unknown } | Refusal {
  const payload = Buffer.from(body);
  let refusal: Refusal = { kind: 'refused', reason: 'wrong_signature', detail: 'it is not signed' };
  if (signature === undefined) return refusal;
  for (const secret of secrets) {
    try {
      const event = webhooks.constructEvent(
        ...([payload, signature, secret, toleranceSeconds, undefined, receivedAt] as const),
      );
      return { kind: 'event', event };
    } catch (error) {
      refusal = refusalOf(error, refusal);
    }
  }
  return refusal;
}

function refusalOf(error: unknown, before: Refusal): Refusal {
  const { name, message, type } = error as Error & { readonly type?: string };
  if (type !== 'StripeSignatureVerificationError') {
    // The signature was right, and what it covers is no JSON, or an event of another API.
    return { kind: 'refused', reason: 'malformed', detail: `${name}: it could not be read` };
  }
  if (/tolerance/.test(message)) {
    return { kind: 'refused', reason: 'stale', detail: 'it was signed too long ago' };
  }
  if (before.reason !== 'wrong_signature') return before;
  return { kind: 'refused', reason: 'wrong_signature', detail: 'no secret made this signature' };
}
