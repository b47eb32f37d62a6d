import { hmacSha256 } from '@annals/core';
import type { Books } from './books.ts';
import type { Delivering } from './job.ts';

/** One webhook to send. */
export interface Delivery {
  readonly job: number;
  readonly event: string;
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The delivery that is due; its job is put off to the next attempt, or is over with the last one. */
export function deliveryOf(books: Books, job: number, due: Delivering): Delivery | undefined {
  const event = books.get('event', due.event);
  const endpoint = books.get('webhook_endpoint', due.endpoint);
  if (!event || !endpoint) {
    books.storage.removeJob(job);
    return undefined;
  }
  const wait = books.pace.webhookRetriesMs[due.attempt];
  if (wait === undefined) books.storage.removeJob(job);
  else books.storage.moveJob(job, books.nowMs + wait, { ...due, attempt: due.attempt + 1 });
  const body = JSON.stringify(event);
  const { url, secret } = endpoint;
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'stripe-signature': signature(secret, body, books.now),
    'user-agent': 'Stripe/1.0 (annals sandbox)',
  };
  return { job, event: event.id, url, body, headers };
}

/** Stripe's scheme v1 (https://docs.stripe.com/webhooks/signature). */
export function signature(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${hmacSha256(Buffer.from(secret), `${seconds}.${body}`)}`;
}
