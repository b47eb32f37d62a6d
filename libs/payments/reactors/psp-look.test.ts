import { describe, expect, test } from 'vitest';
import type { Psp, PspRefused } from '../psp/port.ts';
import type { PspIntent } from './psp-intent.ts';
import { lookIntent } from './psp-look.ts';

const intended = { key: 'k-1', psp: 'one', intendedAt: 0, reference: 'r-1' };
const created = {
  authenticate: { ...intended, call: 'authenticate', method: 'pm' },
  create: {
    ...{ ...intended, call: 'create', method: 'pm', capture: 'automatic' },
    amount: { amount: 5n, currency: 'USD' },
  },
  open_page: {
    ...{ ...intended, call: 'open_page', currency: 'USD' },
    ...{ returnUrl: 'http://shop.test', expiresAt: 3_600_000 },
  },
} as const satisfies { readonly [call: string]: PspIntent };

/** Looks for a call that may have arrived, at a provider that refuses to be asked again. */
function look(intent: PspIntent, reason: PspRefused['reason']) {
  const refused = async () => ({ kind: 'refused', reason, detail: 'no' }) as const;
  const psp = {
    name: 'one',
    terms: { keyLifeMs: 60_000, callMsMax: 100, inFlightMsMax: 200 },
    ...{ authenticate: refused, createPayment: refused, openPage: refused },
  } as unknown as Psp;
  const { signal } = new AbortController();
  return lookIntent({ psp, now: 1_000, sentBy: 500, spent: false, signal }, intent);
}

describe.each(Object.values(created))('$call, of which nobody knows what became', (intent) => {
  test.each(['unreachable', 'unavailable', 'rate_limited'] as const)(
    'stays so while the provider is away: %s says nothing of the first call',
    async (reason) => {
      expect(await look(intent, reason)).toEqual({ kind: 'unclear', detail: `${reason}: no` });
    },
  );

  test('has come to nothing where the provider refuses it for good', async () => {
    expect(await look(intent, 'invalid_request')).toMatchObject({
      ...{ kind: 'outcome', outcome: { kind: 'refused', reason: 'invalid_request' } },
    });
  });
});
