import type { Checkpoint, EventLog, MemoryEventLog, MemoryLogFaults } from '@annals/event-log';
import { coversAll, memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assessRisk } from './decide/checkout.ts';
import { paymentsEvents } from './events.ts';
import { walletChangesOf } from './projections/wallets.ts';
import type { Wallet, WalletsReadModel } from './read-model/wallets.ts';
import { Payments } from './service.ts';
import { checkoutStream, sellerStream } from './streams.ts';
import { assess, authorize, openCommand, paid, shopTerms } from './testing/paid-order.ts';

const noon = Date.parse('2026-11-24T12:00:00Z');

/** The wallets as a list of events that is added up; they follow the log when they are waited for, unless they lag. */
class FollowingWallets implements WalletsReadModel {
  lags = false;
  isLost = false;
  readonly #log: MemoryEventLog;
  readonly #cipher: ReturnType<typeof subjectCipher>;
  #seen: Checkpoint = {};
  #events: Awaited<ReturnType<typeof paymentsEvents.decode>> = [];

  constructor(log: MemoryEventLog, cipher: ReturnType<typeof subjectCipher>) {
    this.#log = log;
    this.#cipher = cipher;
  }

  async waitFor(checkpoint: Checkpoint) {
    if (this.isLost) return 'lost' as const;
    if (!this.lags) {
      const page = await this.#log.read('start', {}, { limit: 10_000 });
      this.#events = await paymentsEvents.decode(page.events, this.#cipher);
      this.#seen = page.checkpoint;
    }
    return coversAll(this.#seen, checkpoint) ? ('reached' as const) : ('late' as const);
  }

  async wallets(account: string) {
    const sums = new Map<string, Wallet>();
    let sellerRevision = -1;
    for (const event of this.#events) {
      if (event.stream === sellerStream(account)) sellerRevision = event.revision;
      const { currency, changes } = walletChangesOf(event);
      for (const { seller, part, amount } of changes) {
        if (seller !== account) continue;
        const none = { currency, pending: 0n, available: 0n, reserved: 0n, disputed: 0n };
        const sum = sums.get(currency) ?? none;
        sums.set(currency, { ...sum, [part]: sum[part] + amount });
      }
    }
    const wallets = [...sums.values()];
    return { kind: 'answer' as const, asOf: this.#seen, wallets, sellerRevision };
  }
}

function site(faults?: MemoryLogFaults) {
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const clock = { now: () => noon };
  const log = memoryEventLog({ clock, ...(faults ? { faults } : {}) });
  const wallets = new FollowingWallets(log, cipher);
  const payments = new Payments({ log, cipher, clock, wallets });
  return { log, keys, cipher, payments, wallets };
}

async function withSeller(faults?: MemoryLogFaults) {
  const at = site(faults);
  await at.payments.putSeller('shop', shopTerms);
  await at.payments.putBank('shop', 'btok_1');
  return at;
}

describe('a checkout', () => {
  test('reads of its sellers only what is new, and what other processes have written', async () => {
    const { payments, log, cipher } = await withSeller();
    const seen: number[] = [];
    const asked: Pick<EventLog, 'append' | 'readStream'> = {
      append: (...how) => log.append(...how),
      readStream: (stream, how) => {
        if (stream === sellerStream('shop')) seen.push(how?.from ?? 0);
        return log.readStream(stream, how);
      },
    };
    const own = new Payments({
      ...{ log: asked, cipher, clock: { now: () => noon } },
      wallets: new FollowingWallets(log, cipher),
    });
    await own.open(openCommand);
    await own.as('key-1').open({ ...openCommand, checkoutId: 'c-2' });
    expect(seen).toEqual([0, 2]);
    const [usd] = shopTerms.currencies;
    if (!usd) throw new Error('the shop sells in no currency');
    const dearer = { ...usd, fee_basis_points: 999 };
    await payments.putSeller('shop', { ...shopTerms, currencies: [dearer] });
    const opened = await own.open({ ...openCommand, checkoutId: 'c-3' });
    if (opened.kind !== 'changed') throw new Error(opened.kind);
    const [order] = opened.state?.checkout.orders.values() ?? [];
    expect(order?.terms.fee_basis_points).toBe(999);
    expect(seen).toEqual([0, 2, 2]);
  });

  test('is whole again after a refund that is heard of only when it had failed: it left, and came back', async () => {
    const { payments, log } = await withSeller();
    await payments.open(openCommand);
    await paid(payments);
    await payments.refund('c-1', 'o-1', { refundId: 'r-1', amount: 1_000n });
    const amount = { amount: 1_000n, currency: 'USD' };
    const observed = { id: 're_1', status: 'failed', amount } as const;
    expect(await payments.observedRefund('c-1', 'o-1', 'r-1', observed)).toMatchObject({
      events: 2,
    });
    const { events } = await log.readStream(checkoutStream('c-1'), { limit: 100 });
    const [left, back] = events.slice(-2).map(({ type, data }) => ({ type, ...JSON.parse(data) }));
    expect(left).toMatchObject({ type: 'refund-succeeded', psp_refund_id: 're_1' });
    expect(back).toMatchObject({ type: 'refund-failed', after_succeeded: true });
    expect(await payments.observedRefund('c-1', 'o-1', 'r-1', observed)).toMatchObject({
      events: 0,
    });
  });

  test('is opened, paid, delivered and refunded; the seller is paid out what is left', async () => {
    const { payments, log } = await withSeller();
    expect(await payments.open(openCommand)).toMatchObject({ kind: 'changed', events: 1 });
    await paid(payments);
    const delivered = await payments.delivered('c-1', 'o-1');
    expect(delivered).toMatchObject({ kind: 'changed', events: 1 });
    const refund = { refundId: 'r-1', amount: 1_000n };
    expect(await payments.refund('c-1', 'o-1', refund)).toMatchObject({ events: 1 });
    const payout = { seller: 'shop', payoutId: 'p-1', currency: 'USD', psp: 'one' } as const;
    const out = await payments.payOut({ ...payout, because: 'on_demand' });
    // 10,000 less 2.5 % less 1,000 that were refunded.
    const p1 = { amount: 8_750n, state: 'requested' };
    if (out.kind !== 'changed') throw new Error(out.kind);
    expect(out.state?.seller.payouts.get('p-1')).toMatchObject(p1);
    expect(log.storage.stream(checkoutStream('c-1')).map(({ type }) => type)).toEqual([
      'checkout-opened',
      'order-risk-assessed',
      'attempt-requested',
      'attempt-created',
      'order-captured',
      'order-released',
      'refund-requested',
    ]);
  });

  test('that is opened again as it was changes nothing, also after the terms of its seller have changed', async () => {
    const { payments, log } = await withSeller();
    await payments.open(openCommand);
    await payments.putSeller('shop', { ...shopTerms, reserve_basis_points: 500 });
    expect(await payments.open(openCommand)).toMatchObject({ kind: 'changed', events: 0 });
    expect(log.storage.stream(checkoutStream('c-1'))).toHaveLength(1);
  });

  test.each([
    { currency: 'JPY' },
    { method: 'tok_2' },
    { buyerInfo: { email: 'bob@example.org' } },
    { buyerInfo: {} },
    { capture: 'manual' as const },
    { orders: [{ paymentOrderId: 'o-1', sellerAccount: 'shop', amount: 9_999n }] },
  ])('of the same id that is another one is refused: %o', async (other) => {
    const { payments, log } = await withSeller();
    await payments.open(openCommand);
    const refusal = { kind: 'refused', reason: 'checkout-exists' };
    expect(await payments.open({ ...openCommand, ...other })).toMatchObject(refusal);
    expect(log.storage.stream(checkoutStream('c-1'))).toHaveLength(1);
  });

  test('with a seller that nobody knows is refused, and nothing is written', async () => {
    const { payments, log } = site();
    const refusal = { kind: 'refused', reason: 'unknown-seller' };
    expect(await payments.open(openCommand)).toMatchObject(refusal);
    expect(await log.head()).toEqual({});
  });

  test('of an erased buyer is refused, and its token is gone', async () => {
    const { payments, keys } = await withSeller();
    await payments.open(openCommand);
    await keys.destroy(['buyer:c-1']);
    const { state } = await payments.checkout('c-1');
    expect(state).toMatchObject({ method: undefined, buyerInfo: undefined });
    expect(state?.checkout.orders.size).toBe(1);
    await keys.create(['buyer:c-2']);
    await keys.destroy(['buyer:c-2']);
    const open = await payments.open({ ...openCommand, checkoutId: 'c-2' });
    expect(open).toMatchObject({ kind: 'refused', reason: 'subject-erased' });
  });

  test('can be canceled before it is paid, and captured in part once it is authorized', async () => {
    const { payments } = await withSeller();
    await payments.open({ ...openCommand, capture: 'manual' });
    await assess(payments);
    await authorize(payments);
    const capture = await payments.capture('c-1', 'o-1', { amount: 400n });
    expect(capture).toMatchObject({ kind: 'changed', events: 1 });
    const again = await payments.capture('c-1', 'o-1', { amount: 400n });
    expect(again).toMatchObject({ kind: 'changed', events: 0 });
    expect(await payments.capture('c-1', 'o-1')).toMatchObject({ reason: 'in-progress' });
    await payments.open({ ...openCommand, checkoutId: 'c-2' });
    const canceled = await payments.cancel('c-2', 'o-1');
    if (canceled.kind !== 'changed') throw new Error(canceled.kind);
    expect(canceled.state?.checkout.orders.get('o-1')?.state).toBe('canceled');
    expect(await payments.cancel('c-3', 'o-1')).toMatchObject({ reason: 'unknown-checkout' });
  });
});

describe('a command that comes again', () => {
  test('after a review or evidence changes nothing, and another verdict is refused', async () => {
    const { payments } = await withSeller();
    await payments.open(openCommand);
    const at = noon;
    await payments.changeCheckout('c-1', (one) =>
      assessRisk(one, 'o-1', { verdict: 'review', rules: ['amount'], at }),
    );
    const approve = () => payments.review('c-1', 'o-1', { verdict: 'approved', decidedBy: 'eve' });
    expect(await approve()).toMatchObject({ kind: 'changed', events: 1 });
    expect(await approve()).toMatchObject({ kind: 'changed', events: 0 });
    const reject = { verdict: 'rejected', decidedBy: 'eve' } as const;
    expect(await payments.review('c-1', 'o-1', reject)).toMatchObject({ reason: 'not-in-review' });

    await paid(payments);
    const amount = { amount: 1_000n, currency: 'USD' };
    const dispute = { id: 'd-1', status: 'needs_response', reason: 'fraudulent', amount } as const;
    await payments.observedDispute('c-1', 'o-1', dispute);
    const evidence = () => payments.evidence('c-1', 'o-1', { disputeId: 'd-1', givenBy: 'eve' });
    expect(await evidence()).toMatchObject({ kind: 'changed', events: 1 });
    expect(await evidence()).toMatchObject({ kind: 'changed', events: 0 });
  });

  test('names who asked in its events, where somebody did', async () => {
    const { payments, log } = await withSeller();
    await payments.as('key-1').open(openCommand);
    await payments.cancel('c-1', 'o-1');
    const events = log.storage.stream(checkoutStream('c-1'));
    expect(events.map(({ metadata }) => metadata.actor)).toEqual(['key-1', undefined]);
  });
});

describe('payouts', () => {
  const payout = { seller: 'shop', currency: 'USD', psp: 'one', because: 'on_demand' } as const;

  async function withMoney(faults?: MemoryLogFaults) {
    const at = await withSeller(faults);
    await at.payments.open(openCommand);
    await paid(at.payments);
    await at.payments.delivered('c-1', 'o-1');
    return at;
  }

  test('of one wallet at once: together they never pay more than was there', async () => {
    const { payments } = await withMoney();
    const outcomes = await Promise.all(
      ['a', 'b', 'c', 'd'].map((payoutId) =>
        payments.payOut({ ...payout, payoutId, amount: 6_000n }),
      ),
    );
    expect(outcomes.filter(({ kind }) => kind === 'changed')).toHaveLength(1);
    const refused = outcomes.filter((outcome) => outcome.kind === 'refused');
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['insufficient-funds']));
  });

  test('are not decided on a wallet that lags or is lost', async () => {
    const { payments, wallets, log } = await withMoney();
    const before = log.storage.stream(sellerStream('shop')).length;
    wallets.lags = true;
    const behind = { kind: 'refused', reason: 'wallet-behind' };
    expect(await payments.payOut({ ...payout, payoutId: 'a' })).toMatchObject(behind);
    wallets.isLost = true;
    const lost = { kind: 'refused', reason: 'wallet-lost' };
    expect(await payments.payOut({ ...payout, payoutId: 'a' })).toMatchObject(lost);
    expect(log.storage.stream(sellerStream('shop'))).toHaveLength(before);
  });

  test('that failed give the money back, and it can be paid out again', async () => {
    const { payments } = await withMoney();
    await payments.payOut({ ...payout, payoutId: 'a' });
    const empty = { reason: 'insufficient-funds' };
    expect(await payments.payOut({ ...payout, payoutId: 'b' })).toMatchObject(empty);
    const amount = { amount: 9_750n, currency: 'USD' };
    const paidOut = { id: 'po_1', status: 'paid', amount } as const;
    await payments.observedPayout('shop', 'a', paidOut);
    await payments.observedPayout('shop', 'a', { ...paidOut, status: 'failed', failure: 'closed' });
    expect(await payments.payOut({ ...payout, payoutId: 'b' })).toMatchObject({ events: 1 });
  });

  test('by schedule are one for each currency and day, however often it is worked off', async () => {
    const { payments } = await withMoney();
    const first = await payments.payOutOn('shop', '2026-11-24', { psp: 'one' });
    const again = await payments.payOutOn('shop', '2026-11-24', { psp: 'one' });
    expect(first.get('USD')).toMatchObject({ kind: 'changed', events: 1 });
    expect(again.get('USD')).toMatchObject({ kind: 'changed', events: 0 });
    // Nothing was sold in yen.
    expect(first.get('JPY')).toMatchObject({ reason: 'insufficient-funds' });
    expect(await payments.payOutOn('nobody', '2026-11-24', { psp: 'one' })).toEqual(new Map());
    await payments.putSeller('shop', { ...shopTerms, payout_schedule: 'manual' });
    expect(await payments.payOutOn('shop', '2026-11-25', { psp: 'one' })).toEqual(new Map());
  });

  test('to an erased seller are refused', async () => {
    const { payments, keys } = await withMoney();
    await keys.destroy(['seller:shop']);
    const refusal = { kind: 'refused', reason: 'subject-erased' };
    expect(await payments.payOut({ ...payout, payoutId: 'a' })).toMatchObject(refusal);
  });
});

test('appends whose outcome nobody knows are sent again, and every command has one effect', async () => {
  const names = ['unknown-stored', 'unknown-not-stored', undefined] as const;
  const faults = fc.infiniteStream(fc.constantFrom(...names));
  await fc.assert(
    fc.asyncProperty(faults, async (fault) => {
      const { payments, log } = await withSeller({ append: () => fault.next().value });
      const again = async <T extends { readonly kind: string }>(command: () => Promise<T>) => {
        for (let sent = 0; sent < 10; sent += 1) {
          const outcome = await command();
          if (outcome.kind !== 'unknown') return outcome;
        }
        throw new Error('nobody ever knew');
      };
      await again(() => payments.open(openCommand));
      await paid(payments);
      await again(() => payments.delivered('c-1', 'o-1'));
      await again(() => payments.refund('c-1', 'o-1', { refundId: 'r-1', amount: 10n }));
      const types = log.storage.stream(checkoutStream('c-1')).map(({ type }) => type);
      expect(new Set(types).size).toBe(types.length);
      expect(types.at(-1)).toBe('refund-requested');
    }),
    { numRuns: 50 },
  );
});
