import { describe, expect, test } from 'vitest';
import type { PspAnswer, PspMoney } from '../port.ts';
import {
  answeredValue,
  captured,
  confirmed,
  created,
  fresh,
  type OpenSite,
  type PspFault,
  type PspSite,
  pageRequest,
  tooLateMs,
  usd,
} from './site.ts';

/** One call that changes something: how it is sent (again and again with one key), and what shows its effect. */
interface Sending {
  readonly operation: string;
  send(): Promise<PspAnswer<{ readonly id: string }>>;
  /** How often it had its effect, as the provider's objects tell. */
  effects(): Promise<number>;
}

type Prepare = (site: PspSite) => Promise<Sending>;

const prepares: Readonly<Record<string, Prepare>> = {
  create: async (site) => {
    const request = { key: fresh('k'), reference: fresh('payment'), amount: usd(1_999n) };
    return {
      operation: 'payment_intents.create',
      send: () => site.psp.createPayment({ ...request, method: 'pm_card_visa', capture: 'manual' }),
      effects: () => site.count('payment'),
    };
  },
  page: async (site) => {
    const request = pageRequest(site);
    return {
      operation: 'checkout.sessions.create',
      send: () => site.psp.openPage(request),
      effects: () => site.count('page'),
    };
  },
  close: async (site) => {
    const { id } = answeredValue(await site.psp.openPage(pageRequest(site)));
    const call = { key: fresh('k'), pageId: id };
    return {
      operation: 'checkout.sessions.expire',
      send: () => site.psp.closePage(call),
      effects: async () => {
        const { status } = answeredValue(await site.psp.retrieve('page', id));
        return status === 'expired' ? 1 : 0;
      },
    };
  },
  confirm: async (site) => {
    const { id } = await created(site);
    const call = { key: fresh('k'), paymentId: id };
    return {
      operation: 'payment_intents.confirm',
      send: () => site.psp.confirmPayment(call),
      effects: async () => parts((await payment(site, id)).captured, 1_999n),
    };
  },
  capture: async (site) => {
    const { id } = await confirmed(site, await created(site, { capture: 'manual' }));
    const call = { key: fresh('k'), paymentId: id, amount: usd(1_000n) };
    return {
      operation: 'payment_intents.capture',
      send: () => site.psp.capturePayment(call),
      effects: async () => parts((await payment(site, id)).captured, 1_000n),
    };
  },
  void: async (site) => {
    const { id } = await confirmed(site, await created(site, { capture: 'manual' }));
    const call = { key: fresh('k'), paymentId: id };
    return {
      operation: 'payment_intents.cancel',
      send: () => site.psp.voidPayment(call),
      effects: async () => ((await payment(site, id)).status === 'voided' ? 1 : 0),
    };
  },
  refund: async (site) => {
    const { id } = await captured(site);
    const call = { key: fresh('k'), reference: fresh('refund'), paymentId: id, amount: usd(500n) };
    return {
      operation: 'refunds.create',
      send: () => site.psp.createRefund(call),
      effects: async () => parts((await payment(site, id)).refunded, 500n),
    };
  },
  payout: async (site) => {
    await site.topUp(5_000n, 'USD');
    const call = { key: fresh('k'), reference: fresh('payout'), destination: 'ba_sandbox' };
    return {
      operation: 'payouts.create',
      send: () => site.psp.createPayout({ ...call, amount: usd(500n) }),
      effects: () => site.count('payout'),
    };
  },
};

async function payment(site: PspSite, id: string) {
  return answeredValue(await site.psp.retrieve('payment', id));
}

function parts({ amount }: PspMoney, part: bigint): number {
  return Number(amount / part);
}

/** Each way to lose an answer, whether the effect is there then, and what a resend with the same key comes to. */
const losses: readonly {
  readonly says: string;
  readonly fault: Omit<Extract<PspFault, { readonly operation: string }>, 'operation'>;
  readonly reason: string;
  readonly effects: number;
  readonly resent: 'answered' | 'unknown';
}[] = [
  {
    says: 'cut before',
    fault: { do: 'cut', when: 'before' },
    reason: 'connection_lost',
    effects: 0,
    resent: 'answered',
  },
  {
    says: 'cut after',
    fault: { do: 'cut', when: 'after' },
    reason: 'connection_lost',
    effects: 1,
    resent: 'answered',
  },
  {
    says: '500 before',
    fault: { do: 'error', when: 'before' },
    reason: 'provider_error',
    effects: 0,
    resent: 'unknown',
  },
  {
    says: '500 after',
    fault: { do: 'error', when: 'after' },
    reason: 'provider_error',
    effects: 1,
    resent: 'unknown',
  },
  {
    says: '502 before',
    fault: { do: 'gateway_error', when: 'before' },
    reason: 'provider_error',
    effects: 0,
    resent: 'answered',
  },
  {
    says: '502 after',
    fault: { do: 'gateway_error', when: 'after' },
    reason: 'provider_error',
    effects: 1,
    resent: 'answered',
  },
  {
    says: 'late after',
    fault: { do: 'delay', when: 'after', ms: tooLateMs },
    reason: 'timeout',
    effects: 1,
    resent: 'answered',
  },
];

/** Answers that are lost, in every way and at every call: unknown, and one effect in the end. */
export function describeFaults(open: OpenSite): void {
  for (const [name, prepare] of Object.entries(prepares)) {
    describe(`the answer to ${name} is lost`, () => {
      test.each(losses)('$says: unknown, $effects effects', async (loss) => {
        const site = await open();
        const { operation, send, effects } = await prepare(site);
        await site.inject({ ...loss.fault, operation });
        expect(await send()).toMatchObject({ kind: 'unknown', reason: loss.reason });
        expect(await effects()).toBe(loss.effects);
        const resent = await settled(send);
        expect(resent.kind).toBe(loss.resent);
        if (resent.kind === 'unknown') {
          // The provider keeps a 500 for the key, whatever it did: only a look tells.
          expect(resent).toMatchObject({ reason: 'provider_error', replayed: true });
        }
        expect(await effects()).toBe(loss.resent === 'unknown' ? loss.effects : 1);
      });

      test('late before: the effect comes after it was given up, and once', async () => {
        const site = await open();
        const { operation, send, effects } = await prepare(site);
        await site.inject({ operation, do: 'delay', when: 'before', ms: tooLateMs });
        expect(await send()).toMatchObject({ kind: 'unknown', reason: 'timeout' });
        expect(await effects()).toBe(0);
        // The first call is still under way: the second one is told so, and is no second effect.
        expect(await send()).toMatchObject({ kind: 'unknown', reason: 'in_flight' });
        expect((await settled(send)).kind).toBe('answered');
        expect(await effects()).toBe(1);
      });

      test('sent twice at once: one effect', async () => {
        const site = await open();
        const { send, effects } = await prepare(site);
        const answers = await Promise.all([send(), send()]);
        for (const { kind } of answers) expect(['answered', 'unknown']).toContain(kind);
        expect((await settled(send)).kind).toBe('answered');
        expect(await effects()).toBe(1);
      });
    });
  }
}

/** Sends again while the first call is still under way there. */
async function settled(send: Sending['send']) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const answer = await send();
    if (answer.kind !== 'unknown' || answer.reason !== 'in_flight') return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the first call never ended');
}
