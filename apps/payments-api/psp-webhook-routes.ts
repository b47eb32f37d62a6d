import type { Clock } from '@annals/core';
import { type Route, route } from '@annals/http';
import type { Psp } from '@annals/payments';
import { followHint, HintFilter, type ObserverMeans } from '@annals/payments/reactors';
import { z } from 'zod';
import { paymentsErrors } from './errors.ts';

/** What webhooks of providers need. */
export interface PspWebhookMeans {
  /** Each knows its own secrets: whose webhook it is, its signature says. */
  readonly psps: readonly Psp[];
  readonly observer: ObserverMeans;
  readonly clock: Pick<Clock, 'now'>;
}

export const pspWebhookLimits = {
  /** Events of providers have some kilobytes. */
  bodyBytesMax: 262_144,
} as const;

const received = z.strictObject({
  /** What came of it: the object was fetched (or is known already), or the event is none that is followed. */
  received: z.enum(['changed', 'unchanged', 'not_ours', 'duplicate', 'ignored']),
});

/**
 * Where providers say that something has happened. It is a hint and no more: the object is fetched, and its stream
 * decides. So who sends it twice, late or in another order changes nothing, and a forged one is not even looked at.
 */
export function pspWebhookRoutes(means: PspWebhookMeans): readonly Route[] {
  const { psps, observer, clock } = means;
  const filter = new HintFilter();
  return [
    route({
      method: 'POST',
      url: '/v1/psp/webhooks',
      // Its signature is its key.
      public: true,
      tag: 'providers',
      summary: 'Take a webhook of a payment provider',
      description:
        'For payment providers alone: the body is an event of the provider, signed in the header stripe-signature. ' +
        'What it speaks of is fetched from the provider; the same event twice changes nothing.',
      headers: { 'stripe-signature': z.string().max(4_096).optional() },
      rawBody: true,
      bodyBytesMax: pspWebhookLimits.bodyBytesMax,
      response: received,
      problems: ['webhook-not-believed', 'provider-not-answering'],
      handler: async ({ body, headers }) => {
        const signature = headers['stripe-signature'];
        const delivery = { body: body ?? Buffer.alloc(0), signature, receivedAt: clock.now() };
        const parsed = parse(psps, delivery);
        if (parsed.kind === 'refused') {
          return paymentsErrors.problem('webhook-not-believed', { what: parsed.detail });
        }
        if (parsed.kind === 'ignored') return { received: 'ignored' as const };
        const { hint } = parsed;
        if (!filter.isNew(hint)) return { received: 'duplicate' as const };
        const came = await followHint(observer, hint);
        if (came === 'later') {
          const later = { headers: { 'retry-after': '30' } };
          return paymentsErrors.problem('provider-not-answering', { what: hint.psp }, later);
        }
        filter.remember(hint);
        return { received: came };
      },
    }),
  ];
}

/** As the provider reads it whose secret made the signature; where nobody's did, what is nearest to right is told. */
function parse(psps: readonly Psp[], delivery: Parameters<Psp['parseWebhook']>[0]) {
  let refused: Extract<ReturnType<Psp['parseWebhook']>, { readonly kind: 'refused' }> = {
    ...{ kind: 'refused', reason: 'wrong_signature', detail: 'no provider is set up' },
  };
  for (const psp of psps) {
    const parsed = psp.parseWebhook(delivery);
    if (parsed.kind !== 'refused') return parsed;
    if (refused.reason === 'wrong_signature') refused = parsed;
  }
  return refused;
}
