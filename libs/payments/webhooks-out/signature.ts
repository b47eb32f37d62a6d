import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { webhookLimits } from './limits.ts';

/** A secret in the form of Standard Webhooks: `whsec_` and base64. */
export function newWebhookSecret(): string {
  return `whsec_${randomBytes(webhookLimits.secretBytes).toString('base64')}`;
}

/**
 * The headers of Standard Webhooks (standardwebhooks.com): one signature for each live secret, so that a receiver may
 * know either. `id` is the same for every attempt; `at` is the time of this one.
 */
export function signedHeaders(
  { id, at, body }: { readonly id: string; readonly at: number; readonly body: string },
  secrets: readonly string[],
): { readonly [name: string]: string } {
  const time = new Date(at);
  return {
    'content-type': 'application/json',
    'user-agent': 'Annals-Webhooks/1',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at / 1_000)),
    'webhook-signature': secrets.map((one) => new Webhook(one).sign(id, time, body)).join(' '),
  };
}
