import { systemClock } from '@annals/core';
import { hintsOf, type PspSite, sitePace } from '@annals/payments/psp/contract';
import type { PspOutcome } from '@annals/payments/reactors';
import { afterEach, describe, expect, test } from 'vitest';
import { openInProcess } from './testing/sites.ts';
import { type Asked, Till } from './testing/till.ts';

/**
 * The executor with the real runtime of reactors, the real adapter and client, and the sandbox: whatever is lost and
 * whenever the executor dies, there is one effect and one outcome.
 */

const quick = { keyLifeMs: 82_800_000, callMsMax: 300, inFlightMsMax: 400 };
const lateMs = 600;

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open() {
  const site = await openInProcess('stripe', { terms: quick, searchLagMs: 100 });
  closing.push(() => site.close());
  const till = new Till({ now: () => site.now(), sleep: systemClock.sleep }, site.psp);
  closing.push(() => till.stop());
  return { site, till };
}

const usd = (amount: bigint) => ({ amount, currency: 'USD' });
const ok = async (answer: Promise<{ readonly kind: string; readonly value?: unknown }>) => {
  const { kind, value } = await answer;
  if (kind !== 'answered') throw new Error(kind);
  return value as { readonly id: string };
};

interface Prepared {
  readonly asked: Asked;
  readonly operation: string;
  effects(): Promise<number>;
}

let numbers = 0;
async function payment(site: PspSite, capture: 'automatic' | 'manual', confirm: boolean) {
  numbers += 1;
  const request = { key: `k-${numbers}`, reference: `r-${numbers}`, amount: usd(1_999n), capture };
  const { id } = await ok(site.psp.createPayment({ ...request, method: 'pm_card_visa' }));
  if (confirm) await ok(site.psp.confirmPayment({ key: `c-${numbers}`, paymentId: id }));
  const state = async () => {
    const found = await site.psp.retrieve('payment', id);
    if (found.kind !== 'answered') throw new Error(found.kind);
    return found.value;
  };
  return { id, state };
}

const prepares: Readonly<Record<string, (site: PspSite) => Promise<Prepared>>> = {
  create: async (site) => ({
    asked: {
      ...{ call: 'create', reference: 'attempt-1', amount: usd(1_999n) },
      ...{ method: 'pm_card_visa', capture: 'automatic' },
    },
    operation: 'payment_intents.create',
    effects: () => site.count('payment'),
  }),
  open_page: async (site) => ({
    asked: {
      ...{ call: 'open_page', reference: 'page-1', currency: 'USD' },
      ...{ returnUrl: 'http://shop.test/back', expiresAt: site.now() + 3_600_000 },
    },
    operation: 'checkout.sessions.create',
    effects: () => site.count('page'),
  }),
  close_page: async (site) => {
    const request = { key: 'page', reference: 'page-1', currency: 'USD' };
    const times = { returnUrl: 'http://shop.test/back', expiresAt: site.now() + 3_600_000 };
    const { id } = await ok(site.psp.openPage({ ...request, ...times }));
    return {
      asked: { call: 'close_page', pageId: id },
      operation: 'checkout.sessions.expire',
      effects: async () => {
        const found = await site.psp.retrieve('page', id);
        if (found.kind !== 'answered') throw new Error(found.kind);
        return found.value.status === 'expired' ? 1 : 0;
      },
    };
  },
  confirm: async (site) => {
    const { id, state } = await payment(site, 'automatic', false);
    return {
      asked: { call: 'confirm', paymentId: id },
      operation: 'payment_intents.confirm',
      effects: async () => Number((await state()).captured.amount) / 1_999,
    };
  },
  capture: async (site) => {
    const { id, state } = await payment(site, 'manual', true);
    return {
      asked: { call: 'capture', paymentId: id, amount: usd(1_000n) },
      operation: 'payment_intents.capture',
      effects: async () => Number((await state()).captured.amount) / 1_000,
    };
  },
  void: async (site) => {
    const { id, state } = await payment(site, 'manual', true);
    return {
      asked: { call: 'void', paymentId: id },
      operation: 'payment_intents.cancel',
      effects: async () => ((await state()).status === 'voided' ? 1 : 0),
    };
  },
  refund: async (site) => {
    const { id, state } = await payment(site, 'automatic', true);
    return {
      asked: { call: 'refund', reference: 'refund-1', paymentId: id, amount: usd(500n) },
      operation: 'refunds.create',
      effects: async () => Number((await state()).refunded.amount) / 500,
    };
  },
  payout: async (site) => {
    await site.topUp(5_000n, 'USD');
    return {
      asked: {
        ...{ call: 'payout', reference: 'payout-1', amount: usd(500n) },
        destination: 'ba_sandbox',
      },
      operation: 'payouts.create',
      effects: () => site.count('payout'),
    };
  },
  evidence: async (site) => {
    const disputeId = await disputed(site);
    return {
      asked: { call: 'evidence', disputeId, evidence: { statement: 'it was delivered' } },
      operation: 'disputes.update',
      effects: async () => {
        const found = await site.psp.retrieve('dispute', disputeId);
        if (found.kind !== 'answered') throw new Error(found.kind);
        return found.value.status === 'under_review' ? 1 : 0;
      },
    };
  },
};

async function disputed(site: PspSite): Promise<string> {
  numbers += 1;
  const request = { key: `k-${numbers}`, reference: `r-${numbers}`, amount: usd(1_999n) };
  const method = 'pm_card_createDispute';
  const { id } = await ok(site.psp.createPayment({ ...request, method, capture: 'automatic' }));
  await ok(site.psp.confirmPayment({ key: `c-${numbers}`, paymentId: id }));
  await site.pass(sitePace.disputeMs);
  const hint = hintsOf(site).find((one) => one.startsWith('charge.dispute.created'));
  return hint?.split(' ')[1] ?? '';
}

const losses = [
  ['a cut before', { do: 'cut', when: 'before' }],
  ['a cut after', { do: 'cut', when: 'after' }],
  ['a 502 before', { do: 'gateway_error', when: 'before' }],
  ['a 502 after', { do: 'gateway_error', when: 'after' }],
  ['a 500 after', { do: 'error', when: 'after' }],
  ['an answer that is late', { do: 'delay', when: 'after', ms: lateMs }],
  ['a call that arrives late', { do: 'delay', when: 'before', ms: lateMs }],
] as const;

describe.each(Object.entries(prepares))('%s', (_, prepare) => {
  test.concurrent.each(losses)('through %s: one effect, and its outcome', async (_says, fault) => {
    const { site, till } = await openConcurrent();
    try {
      const { asked, operation, effects } = await prepare(site);
      await site.inject({ ...fault, operation });
      const { stream } = await till.ask(asked);
      till.start();
      expect(await till.settled(stream)).toMatchObject({ kind: 'settled' });
      expect(await effects()).toBe(1);
    } finally {
      till.stop();
      await site.close();
    }
  });

  test.concurrent('through a 500 before: no effect, and the key is spent', async () => {
    const { site, till } = await openConcurrent();
    try {
      const { asked, operation, effects } = await prepare(site);
      await site.inject({ operation, do: 'error', when: 'before' });
      const { stream } = await till.ask(asked);
      till.start();
      const spent = { kind: 'refused', reason: 'key_spent' };
      expect(await till.settled(stream)).toMatchObject(spent);
      expect(await effects()).toBe(0);
    } finally {
      till.stop();
      await site.close();
    }
  });

  test.concurrent.each(['before-call', 'after-call', 'after-record'] as const)(
    'the executor dies %s: one effect, and its outcome',
    async (dies) => {
      const { site, till } = await openConcurrent();
      try {
        const { asked, effects } = await prepare(site);
        const { stream } = await till.ask(asked);
        const died = till.death();
        till.start({ dies });
        await died;
        till.start();
        expect(await till.settled(stream)).toMatchObject({ kind: 'settled' });
        expect(await effects()).toBe(1);
      } finally {
        till.stop();
        await site.close();
      }
    },
  );
});

/** Tests that run side by side close what they opened themselves. */
async function openConcurrent() {
  const site = await openInProcess('stripe', { terms: quick, searchLagMs: 100 });
  return { site, till: new Till({ now: () => site.now(), sleep: systemClock.sleep }, site.psp) };
}

describe('what is final is final', () => {
  async function outcomeOf(asked: (site: PspSite) => Promise<Asked>): Promise<PspOutcome> {
    const { site, till } = await open();
    const { stream } = await till.ask(await asked(site));
    till.start();
    return till.settled(stream);
  }

  test('a decline', async () => {
    const { site, till } = await open();
    const request = { key: 'k', reference: 'r', amount: usd(5n), capture: 'automatic' } as const;
    const method = 'pm_card_visa_chargeDeclinedLostCard';
    const { id } = await ok(site.psp.createPayment({ ...request, method }));
    await site.inject({ operation: 'payment_intents.confirm', do: 'cut', when: 'after' });
    const { stream } = await till.ask({ call: 'confirm', paymentId: id });
    till.start();
    // The answer was lost, and the payment itself says that it was declined, and why.
    expect(await till.settled(stream)).toEqual({
      ...{ kind: 'declined', reason: 'lost_card', code: 'lost_card', next: 'fail' },
    });
  });

  test('a payment that waits for the buyer', async () => {
    const outcome = await outcomeOf(async (site) => {
      const request = { key: 'k', reference: 'r', amount: usd(5n), capture: 'automatic' } as const;
      const method = 'pm_card_threeDSecure2Required';
      const { id } = await ok(site.psp.createPayment({ ...request, method }));
      return { call: 'confirm', paymentId: id };
    });
    expect(outcome).toMatchObject({
      kind: 'settled',
      object: { kind: 'payment', value: { status: 'requires_action' } },
    });
  });

  test('a capture of what was voided, a void of what was captured', async () => {
    for (const [call, before] of [
      ['capture', 'void'],
      ['void', 'capture'],
    ] as const) {
      const outcome = await outcomeOf(async (site) => {
        const { id } = await payment(site, 'manual', true);
        const key = `earlier-${before}`;
        if (before === 'void') await ok(site.psp.voidPayment({ key, paymentId: id }));
        else await ok(site.psp.capturePayment({ key, paymentId: id, amount: usd(1_999n) }));
        return call === 'void'
          ? { call, paymentId: id }
          : { call, paymentId: id, amount: usd(1_999n) };
      });
      expect(outcome).toMatchObject({ kind: 'refused', reason: 'wrong_state' });
    }
  });

  test('a refund above what is left, and a refund of what is refunded', async () => {
    for (const [refunded, reason] of [
      [1n, 'invalid_request'],
      [1_999n, 'wrong_state'],
    ] as const) {
      const outcome = await outcomeOf(async (site) => {
        const { id } = await payment(site, 'automatic', true);
        const first = { key: 'first', reference: 'first', paymentId: id, amount: usd(refunded) };
        await ok(site.psp.createRefund(first));
        return { call: 'refund', reference: 'second', paymentId: id, amount: usd(1_999n) };
      });
      expect(outcome).toMatchObject({ kind: 'refused', reason });
    }
  });

  test('a payout that the balance does not cover', async () => {
    const payout = {
      call: 'payout',
      reference: 'p',
      amount: usd(5n),
      destination: 'ba_1',
    } as const;
    const outcome = await outcomeOf(async () => payout);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'balance_insufficient' });
  });
});

describe('what a person has to look at', () => {
  test('a provider that is not set up', async () => {
    const { till } = await open();
    const { stream, key } = await till.ask({ call: 'void', paymentId: 'pi_1' }, { psp: 'gone' });
    till.start();
    expect(await till.settled(stream)).toMatchObject({
      ...{ kind: 'dead_letter', reason: 'unknown_provider' },
      context: { call: 'void', psp: 'gone', key },
    });
  });

  test('two objects with one reference', async () => {
    const { site, till } = await open();
    const { id } = await payment(site, 'automatic', true);
    const twice = { reference: 'twice', paymentId: id, amount: usd(5n) };
    for (const key of ['a', 'b']) await ok(site.psp.createRefund({ key, ...twice }));
    await site.inject({ operation: 'refunds.create', do: 'cut', when: 'before' });
    const { stream } = await till.ask({ call: 'refund', ...twice });
    till.start();
    const outcome = await till.settled(stream);
    expect(outcome).toMatchObject({ kind: 'dead_letter', reason: 'ambiguous' });
    const { context } = outcome as Extract<PspOutcome, { kind: 'dead_letter' }>;
    expect(context.tries.map(({ what, came }) => `${what} ${came.split(':')[0]}`)).toEqual([
      'call unknown',
      'look ambiguous',
    ]);
  });

  test('a key that was used for something else', async () => {
    const { site, till } = await open();
    const { id } = await payment(site, 'manual', true);
    await ok(site.psp.voidPayment({ key: 'shared', paymentId: id }));
    const { stream } = await till.ask(
      { call: 'refund', reference: 'r', paymentId: id, amount: usd(5n) },
      { key: 'shared' },
    );
    till.start();
    expect(await till.settled(stream)).toMatchObject({ kind: 'dead_letter', reason: 'fault' });
  });

  test('a provider that says nothing for too long', async () => {
    const { site, till } = await open();
    const { id } = await payment(site, 'automatic', false);
    await site.inject({ operation: 'payment_intents.*', do: 'cut', when: 'before', times: 1_000 });
    const { stream } = await till.ask({ call: 'confirm', paymentId: id });
    till.start({ limits: { patienceMs: 500 } });
    expect(await till.settled(stream)).toMatchObject({ kind: 'dead_letter', reason: 'too_long' });
  });

  test('a fault of our own that comes again and again', async () => {
    const { site, till } = await open();
    const { id } = await payment(site, 'automatic', false);
    const { stream } = await till.ask({ call: 'confirm', paymentId: id });
    const stands = () => Promise.reject(new RangeError('a bug'));
    till.start({ limits: { faultsMax: 2 }, means: { stands } });
    // It never came to a call; the looks say so, and the calls fail.
    const outcome = await till.settled(stream);
    expect(outcome).toMatchObject({ kind: 'dead_letter', reason: 'fault' });
    const found = await site.psp.retrieve('payment', id);
    expect(found).toMatchObject({ value: { status: 'created' } });
  });
});

test('an outcome that can not be written at once is written later, and is no dead letter', async () => {
  const { site, till } = await open();
  const { id } = await payment(site, 'automatic', false);
  let refused = 0;
  const { stream } = await till.ask({ call: 'confirm', paymentId: id });
  till.start({
    limits: { faultsMax: 2 },
    before: async () => {
      refused += 1;
      if (refused <= 4) throw new Error('the log is away');
    },
  });
  expect(await till.settled(stream)).toMatchObject({
    kind: 'settled',
    object: { value: { status: 'captured' } },
  });
  expect(refused).toBe(5);
});

test.each([false, true])(
  'a doubt is told of once, whether it can be written or not',
  async (fails) => {
    const { site, till } = await open();
    const { id } = await payment(site, 'automatic', false);
    await site.inject({
      operation: 'payment_intents.confirm',
      do: 'cut',
      when: 'before',
      times: 2,
    });
    const { stream } = await till.ask({ call: 'confirm', paymentId: id });
    till.doubtsFail = fails;
    till.start();
    expect(await till.settled(stream)).toMatchObject({ kind: 'settled' });
    expect(till.doubts).toEqual([expect.stringMatching(/^confirm connection_lost: /)]);
  },
);

test('an intent that no longer stands is not called', async () => {
  const { site, till } = await open();
  const { id } = await payment(site, 'automatic', false);
  const { stream } = await till.ask({ call: 'confirm', paymentId: id });
  let asked = 0;
  till.start({
    means: {
      stands: async () => {
        asked += 1;
        return false;
      },
    },
  });
  await expect.poll(() => asked, { timeout: 10_000 }).toBe(1);
  const second = await till.ask({ call: 'void', paymentId: id });
  await expect.poll(() => asked, { timeout: 10_000 }).toBe(2);
  expect(await till.outcome(stream)).toBeUndefined();
  expect(await till.outcome(second.stream)).toBeUndefined();
  expect(await site.psp.retrieve('payment', id)).toMatchObject({ value: { status: 'created' } });
});

test('an executor that is started on what is done does nothing', async () => {
  const { site, till } = await open();
  const { id } = await payment(site, 'automatic', false);
  const { stream } = await till.ask({ call: 'confirm', paymentId: id });
  till.start();
  await till.settled(stream);
  await expect.poll(() => till.settledEffects(), { timeout: 10_000 }).toBe(1);
  till.stop();
  await site.inject({ operation: '*', do: 'cut', when: 'before', times: 1_000 });
  till.start({ means: { record: () => Promise.reject(new Error('recorded again')) } });
  const next = await till.ask({ call: 'void', paymentId: id }, { psp: 'gone' });
  await expect.poll(() => till.troubles.join(), { timeout: 10_000 }).toContain('recorded again');
  expect(await till.outcome(next.stream)).toBeUndefined();
  expect(await till.outcome(stream)).toMatchObject({ kind: 'settled' });
});
