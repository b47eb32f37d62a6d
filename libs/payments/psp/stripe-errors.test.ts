import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { stripeClient } from './stripe-client.ts';
import { declineOfCodes, failureOf, stripeDeclines } from './stripe-errors.ts';

/** What the official client makes of one answer of the API. */
async function failureOfAnswer(
  status: number,
  error: Record<string, string> | string,
  headers: Record<string, string> = {},
) {
  const body = typeof error === 'string' ? error : JSON.stringify({ error });
  return failureOfFetch(
    async () => new Response(body, { status, headers: { 'request-id': 'req_1', ...headers } }),
  );
}

async function failureOfFetch(fetch: typeof globalThis.fetch) {
  const stripe = stripeClient({
    url: 'http://127.0.0.1:1',
    key: 'sk_test_1',
    callMsMax: 50,
    fetch,
  });
  return stripe.paymentIntents.confirm('pi_1').then(() => {
    throw new Error('it was answered');
  }, failureOf);
}

/** Status, type and code of an error of the API, and what it means: the rows of the table in the docs. */
const rows: readonly (readonly [number, string, string, string, string])[] = [
  [402, 'card_error', 'card_declined', 'declined', 'do_not_honor'],
  [402, 'card_error', 'expired_card', 'declined', 'expired_card'],
  [402, 'card_error', 'authentication_required', 'declined', 'authentication_required'],
  [429, 'invalid_request_error', 'rate_limit', 'refused', 'rate_limited'],
  [429, 'invalid_request_error', 'lock_timeout', 'refused', 'rate_limited'],
  [400, 'idempotency_error', '', 'refused', 'key_reused'],
  [401, 'invalid_request_error', '', 'refused', 'not_permitted'],
  [403, 'invalid_request_error', '', 'refused', 'not_permitted'],
  [404, 'invalid_request_error', 'resource_missing', 'refused', 'not_found'],
  [400, 'invalid_request_error', 'resource_missing', 'refused', 'not_found'],
  [400, 'invalid_request_error', 'balance_insufficient', 'refused', 'balance_insufficient'],
  [400, 'invalid_request_error', 'payment_intent_unexpected_state', 'refused', 'wrong_state'],
  [400, 'invalid_request_error', 'charge_already_refunded', 'refused', 'wrong_state'],
  [400, 'invalid_request_error', 'parameter_missing', 'refused', 'invalid_request'],
  [409, 'idempotency_error', 'idempotency_key_in_use', 'unknown', 'in_flight'],
  [500, 'api_error', '', 'unknown', 'provider_error'],
  [503, 'api_error', '', 'unknown', 'provider_error'],
];

describe('every class of error of the official client', () => {
  test.each(rows)('%d %s %s is %s, %s', async (status, type, code, kind, reason) => {
    const failure = await failureOfAnswer(status, {
      type,
      message: 'm',
      ...(code ? { code } : {}),
    });
    expect(failure).toMatchObject({ kind, reason, requestId: 'req_1' });
  });

  test('what the docs say is what the code does', () => {
    const docs = readFileSync(new URL('../../../docs/payments-psp.md', import.meta.url), 'utf8');
    for (const [status, type, code, kind, reason] of rows) {
      const row = `| ${status} | \`${type}\` | ${code ? `\`${code}\`` : ''} | \`${kind}\` | \`${reason}\` |`;
      expect(docs).toContain(row);
    }
    for (const [code, [reason, next]] of Object.entries(stripeDeclines)) {
      expect(docs).toContain(`| \`${code}\` | \`${reason}\` | \`${next}\` |`);
    }
  });

  test('an answer that is no JSON is unknown, whatever its status', async () => {
    for (const status of [200, 400, 502]) {
      expect(await failureOfAnswer(status, '<html>')).toMatchObject({
        kind: 'unknown',
        reason: 'provider_error',
      });
    }
  });

  test('an answer that is kept for the key says so', async () => {
    const error = { type: 'api_error', message: 'm' };
    const headers = { 'idempotent-replayed': 'true' };
    expect(await failureOfAnswer(500, error, headers)).toMatchObject({ replayed: true });
    expect(await failureOfAnswer(500, error)).not.toHaveProperty('replayed');
  });

  test.each(['ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT'])(
    '%s: nothing was sent',
    async (code) => {
      const cause = Object.assign(new Error('no'), { code });
      const failure = await failureOfFetch(async () => {
        throw new TypeError('fetch failed', { cause });
      });
      expect(failure).toMatchObject({ kind: 'refused', reason: 'unreachable' });
    },
  );

  test.each(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])('%s: it may have arrived', async (code) => {
    let sent = 0;
    const failure = await failureOfFetch(async () => {
      sent += 1;
      throw Object.assign(new Error('closed'), { code });
    });
    expect(failure).toMatchObject({ kind: 'unknown', reason: 'connection_lost' });
    expect(sent).toBe(1);
  });

  test('no answer in time is unknown', async () => {
    const failure = await failureOfFetch(
      (_url, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        }),
    );
    expect(failure).toMatchObject({ kind: 'unknown', reason: 'timeout' });
  });

  test('a bug is no answer', () => {
    expect(() => failureOf(new RangeError('a bug'))).toThrow('a bug');
  });
});

describe('declines', () => {
  test('the decline code says more than the code', () => {
    expect(declineOfCodes('card_declined', 'lost_card')).toEqual({
      reason: 'lost_card',
      code: 'lost_card',
      next: 'fail',
    });
  });

  test('a code that nobody knows asks the buyer', () => {
    expect(declineOfCodes('card_declined', 'a_new_one')).toEqual({
      reason: 'do_not_honor',
      code: 'a_new_one',
      next: 'ask_buyer',
    });
    expect(declineOfCodes('constructor', undefined).reason).toBe('do_not_honor');
  });
});
