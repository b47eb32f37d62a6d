import { memoryEventLog } from '@annals/event-log';
import { VirtualClock } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, test } from 'vitest';
import { refuseCall, voidAgainMs } from '../decide/captures.ts';
import { checkoutEvents } from '../events.ts';
import { financeStream } from '../finance/events.ts';
import { Finance, releaseRequestId } from '../finance/index.ts';
import { IdempotencyStore } from '../idempotency/index.ts';
import { ledgerProjection } from '../projections/ledger.ts';
import { paymentsProjection } from '../projections/payments.ts';
import { walletsProjection } from '../projections/wallets.ts';
import type { Psp, PspPayment } from '../psp/port.ts';
import { PspRouting } from '../psp/routing.ts';
import { sqliteLedgerReadModel } from '../read-model/ledger-sqlite.ts';
import { sqlitePaymentsReadModel } from '../read-model/payments.ts';
import { sqliteWalletsReadModel } from '../read-model/wallets.ts';
import { Payments } from '../service.ts';
import { checkoutStream } from '../streams.ts';
import { fedStore } from '../testing/fed-store.ts';
import { assess, authorize, openCommand, paid, shopTerms } from '../testing/paid-order.ts';
import { AcceptedOrders } from './accepted-orders.ts';
import { DayMarks } from './day-marks.ts';
import { nightlyStep } from './nightly.ts';
import { ordersByStage } from './orders-by-stage.ts';
import { stepsOf } from './run-payments.ts';
import { runSchedule } from './schedule.ts';
import { sweepSteps } from './sweep.ts';

const dayMs = 86_400_000;
const noon = Date.parse('2026-11-24T12:00:00Z');

/** A shop, and what runs by itself. The read models are fed anew before each look. */
async function shop(terms: Partial<typeof shopTerms> = {}) {
  const clock = new VirtualClock(noon);
  const log = memoryEventLog({ clock });
  const cipher = subjectCipher(memorySubjectKeyStore());
  const fed = async (signal = new AbortController().signal) => {
    const wallets = sqliteWalletsReadModel(await fedStore(walletsProjection, log, cipher));
    const ledger = sqliteLedgerReadModel(await fedStore(ledgerProjection, log, cipher));
    const read = sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher));
    const looked: string[] = [];
    const psp = {
      name: 'one',
      amountStep: () => 10n,
      retrieve: async (kind: string, id: string) => {
        looked.push(`${kind} ${id}`);
        return { kind: 'unknown', reason: 'timeout', detail: 'nobody answers' };
      },
    } as unknown as Psp;
    const routing = new PspRouting({
      ...{ psps: [psp], rules: [{ psp: 'one', amountMin: 100n }], breaker: { clock } },
    });
    const steps = stepsOf({
      ...{ log, cipher, clock, routing, ledger, wallets, read, reserveDays: 90 },
      onTrouble: (step, detail) => {
        throw new Error(`${step}: ${detail}`);
      },
    });
    const run = (name: string) => steps.find((step) => step.name === name)?.run(signal);
    return { run, wallets, looked, payments: new Payments({ log, cipher, clock, wallets }) };
  };
  const { payments } = await fed();
  await payments.putSeller('shop', { ...shopTerms, ...terms });
  await payments.putBank('shop', 'btok_1');
  const order = async () => (await payments.checkout('c-1')).state?.checkout.orders.get('o-1');
  const payouts = async () => {
    const { state } = await payments.seller('shop');
    return [...(state?.seller.payouts.values() ?? [])].map(({ id, amount }) => `${id} ${amount}`);
  };
  return { clock, log, cipher, fed, payments, order, payouts };
}

describe('what falls due', () => {
  test('is released when the days of the seller are over, not before', async () => {
    const { clock, fed, payments, order } = await shop();
    await payments.open(openCommand);
    await paid(payments);
    clock.jump(7 * dayMs - 1);
    expect(await (await fed()).run('due-orders')).toBe('done');
    expect((await order())?.state).toBe('captured');
    clock.jump(1);
    expect(await (await fed()).run('due-orders')).toBe('done');
    expect((await order())?.state).toBe('succeeded');
  });

  test('expires when it was not paid in time', async () => {
    const { clock, fed, payments, order } = await shop();
    await payments.open(openCommand);
    clock.jump(3_600_000);
    expect(await (await fed()).run('due-orders')).toBe('done');
    expect((await order())?.state).toBe('expired');
  });

  test('and is not let go by its provider is looked at later and later, and then not at all', async () => {
    const { clock, fed, log, cipher, payments, order } = await shop();
    await payments.open({ ...openCommand, capture: 'manual' });
    await assess(payments);
    await authorize(payments);
    clock.jump(3_600_000);
    const lookAt = async () => {
      await (await fed()).run('due-orders');
      return (await order())?.attempts[0];
    };
    const lastOf = async () => {
      const query = { direction: 'backward', limit: 1 } as const;
      const { events } = await log.readStream(checkoutStream('c-1'), query);
      const [last] = await checkoutEvents.decode(events, cipher);
      if (last?.type !== 'void-requested') throw new Error(`${last?.type} is no void`);
      return last;
    };
    for (const waitMs of [...voidAgainMs, undefined]) {
      expect((await lookAt())?.voiding).toBe('expired');
      const asked = await lastOf();
      await payments.changeCheckout('c-1', (one) =>
        refuseCall(one, asked, { reason: 'not_permitted', detail: 'no', at: clock.now() }),
      );
      clock.jump((waitMs ?? 365 * dayMs) - 1);
      const { head } = await log.readStream(checkoutStream('c-1'));
      expect((await lookAt())?.voiding).toBeUndefined();
      expect((await log.readStream(checkoutStream('c-1'))).head).toBe(head);
      clock.jump(1);
    }
    expect((await lookAt())?.voiding).toBeUndefined();
    const read = sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher));
    expect(await read.dueOrders({ before: clock.now(), limit: 10 })).toMatchObject({ orders: [] });
    const found = await ordersByStage({ log, cipher, read, accepted: new AcceptedOrders(log) });
    expect(found).toMatchObject({ accepted: 1, unaccounted: 0 });
  });

  test('an aborted run says that some is left', async () => {
    const { clock, fed, payments } = await shop();
    await payments.open(openCommand);
    clock.jump(3_600_000);
    expect(await (await fed(AbortSignal.abort())).run('due-orders')).toBe('later');
    expect((await payments.checkout('c-1')).state?.checkout.orders.get('o-1')?.state).toBe(
      'not_started',
    );
  });
});

describe('payouts', () => {
  test('are made once a day, and a day that was missed is made up for', async () => {
    const { clock, fed, payments, payouts } = await shop({
      payout_schedule: 'weekly',
      payout_day: 3,
    });
    await payments.open(openCommand);
    await paid(payments);
    await payments.delivered('c-1', 'o-1');
    // Tuesday, 24 November: no day of this seller.
    expect(await (await fed()).run('payouts')).toBe('done');
    expect(await payouts()).toEqual([]);
    // Nobody works on Wednesday.
    clock.jump(2 * dayMs);
    // The wallet has to see the payout in dollars before there can be one in yen.
    expect(await (await fed()).run('payouts')).toBe('later');
    expect(await (await fed()).run('payouts')).toBe('done');
    expect(await payouts()).toEqual(['scheduled~USD~2026-11-25 9750']);
    expect(await (await fed()).run('payouts')).toBe('done');
    expect(await payouts()).toHaveLength(1);
  });

  test('of a month are made on the last day of a shorter one', async () => {
    const { clock, fed, payments, payouts } = await shop({
      payout_schedule: 'monthly',
      payout_day: 31,
    });
    await payments.open(openCommand);
    await paid(payments);
    await payments.delivered('c-1', 'o-1');
    for (let day = 24; day <= 30; day += 1) {
      const paidOut = await payouts();
      expect(paidOut).toEqual([]);
      await (await fed()).run('payouts');
      clock.jump(dayMs);
    }
    expect(await payouts()).toEqual(['scheduled~USD~2026-11-30 9750']);
  });
});

test('the reserve is let go when it was held long enough, and only what was', async () => {
  const { clock, fed, payments, log, cipher } = await shop({ reserve_basis_points: 1_000 });
  await payments.open(openCommand);
  await paid(payments);
  await payments.delivered('c-1', 'o-1');
  const reserved = async () => {
    const read = await (await fed()).wallets.wallets('shop');
    return read.kind === 'answer' ? read.wallets[0]?.reserved : undefined;
  };
  expect(await reserved()).toBe(975n);
  clock.jump(89 * dayMs);
  expect(await (await fed()).run('reserve')).toBe('done');
  expect(await reserved()).toBe(975n);
  clock.jump(2 * dayMs);
  expect(await (await fed()).run('reserve')).toBe('done');
  expect(await reserved()).toBe(0n);
  const released = async () =>
    (await log.read('start', { types: ['reserve-released'] })).events.length;
  expect(await released()).toBe(1);
  clock.jump(dayMs);
  expect(await (await fed()).run('reserve')).toBe('done');
  expect(await released()).toBe(1);
  expect(await new DayMarks({ log, cipher }, 'reserve').due('2027-02-23', clock.now())).toEqual([]);
});

test('the sweep looks at what has waited for a while, and asks again where nobody answers', async () => {
  const { clock, fed, payments } = await shop();
  await payments.open(openCommand);
  await assess(payments);
  const observed: PspPayment = {
    ...{ psp: 'one', id: 'pi_1', reference: 'c-1/o-1/1', disputed: false },
    status: 'requires_action',
    actionUrl: 'http://psp.test/3ds',
    amount: { amount: 10_000n, currency: 'USD' },
    captured: { amount: 0n, currency: 'USD' },
    refunded: { amount: 0n, currency: 'USD' },
  };
  await payments.observedPayment('c-1', 'o-1', 1, observed);
  const young = await fed();
  expect(await young.run('sweep')).toBe('done');
  expect(young.looked).toEqual([]);
  clock.jump(61_000);
  const old = await fed();
  expect(await old.run('sweep')).toBe('later');
  expect(old.looked).toEqual(['payment pi_1']);
});

test('the sweep looks at every payout that waits, however many there are, and at none that is too young', async () => {
  const { clock, log, cipher, fed, payments } = await shop();
  await payments.open(openCommand);
  await paid(payments);
  await payments.delivered('c-1', 'o-1');
  const send = async (number: number) => {
    const { payments: own } = await fed();
    const [payoutId, amount] = [`p-${number}`, 1_000n];
    const asked = { seller: 'shop', payoutId, currency: 'USD', amount, psp: 'one' } as const;
    expect(await own.payOut({ ...asked, because: 'on_demand' })).toMatchObject({ events: 1 });
    await own.observedPayout('shop', payoutId, {
      ...{ id: `po_${number}`, status: 'in_transit', amount: { amount, currency: 'USD' } },
    });
  };
  for (let number = 1; number <= 5; number += 1) await send(number);
  clock.jump(61_000);
  await send(6);
  const read = sqlitePaymentsReadModel(await fedStore(paymentsProjection, log, cipher));
  const looked: string[] = [];
  const psp = {
    retrieve: async (_: string, id: string) => {
      looked.push(id);
      return { kind: 'refused', reason: 'not_found', detail: 'no such' };
    },
  } as unknown as Psp;
  const observer = { psp: () => psp, observe: async () => 'unchanged' as const };
  const [sweeping] = sweepSteps({ observer, read, clock, pagePayouts: 2 });
  expect(await sweeping?.run(new AbortController().signal)).toBe('done');
  expect(looked).toEqual(['po_1', 'po_2', 'po_3', 'po_4', 'po_5']);
});

describe('what has waited for too long', () => {
  test('a request for a second person expires after its week, once, and cannot be approved then', async () => {
    const { clock, fed, log, cipher } = await shop();
    const finance = new Finance({ log, cipher, clock });
    const release = { seller: 'shop', payoutId: 'p-1', currency: 'USD', amount: 5_000n };
    await finance.requestRelease({ ...release, psp: 'one', because: 'on_demand', by: 'ann' });
    const id = releaseRequestId('shop', 'p-1');
    const state = async () => (await finance.request(id))?.state;
    clock.jump(7 * dayMs - 1);
    expect(await (await fed()).run('expire-requests')).toBe('done');
    expect(await state()).toBe('requested');
    clock.jump(1);
    const after = await fed();
    expect(await after.run('expire-requests')).toBe('done');
    expect(await after.run('expire-requests')).toBe('done');
    expect(await state()).toBe('expired');
    expect((await log.readStream(financeStream(id))).events).toHaveLength(2);
    expect(await finance.approve(id, 'ben')).toMatchObject({ kind: 'refused' });
  });

  test('the answer of a request is forgotten after 30 days, also by a process that has just started', async () => {
    const { clock, fed, log, cipher } = await shop();
    const store = new IdempotencyStore({ log, cipher, clock, holder: 'api' });
    const request = (key: string) => ({ caller: 'ann', key, subject: 'buyer:c-1', content: 'x' });
    const once = (key: string, body: string) =>
      store.once(request(key), async () => {
        const answer = { status: 201, contentType: 'application/json', body };
        return { kind: 'answer', answer } as const;
      });
    await once('k-1', '"first"');
    clock.jump(20 * dayMs);
    await once('k-2', '"second"');
    const running = await fed();
    clock.jump(10 * dayMs);
    expect(await running.run('prune-keys')).toBe('done');
    expect(await store.peek(request('k-1'))).toMatchObject({ body: '"first"' });
    clock.jump(1);
    expect(await running.run('prune-keys')).toBe('done');
    expect(await store.peek(request('k-1'))).toBeUndefined();
    expect(await store.peek(request('k-2'))).toMatchObject({ body: '"second"' });
    // It goes on where it ended; another one begins anew, and forgets nothing twice.
    clock.jump(20 * dayMs);
    for (const { run } of [running, await fed()]) expect(await run('prune-keys')).toBe('done');
    expect(await store.peek(request('k-2'))).toBeUndefined();
    const { events } = await log.read('start', { types: ['request-pruned'] });
    expect(events).toHaveLength(2);
  });
});

/** The nightly step of a shop, the days that it has asked for, and whether their files are there. */
async function nights() {
  const { clock, log, cipher } = await shop();
  const asked: string[] = [];
  const file = { isThere: true };
  const step = nightlyStep({
    ...{ clock, marks: new DayMarks({ log, cipher }, 'reconcile') },
    reconcileNight: async (day) => {
      asked.push(day);
      return file.isThere ? 'done' : 'later';
    },
  });
  return { clock, step, asked, file };
}

describe('the nightly reconciliation', () => {
  test('is asked for each day that is over, in order, and again for one whose file is not there', async () => {
    const { clock, step, asked, file } = await nights();
    const { signal } = new AbortController();
    expect(await step.run(signal)).toBe('done');
    clock.jump(3 * dayMs);
    file.isThere = false;
    expect(await step.run(signal)).toBe('later');
    file.isThere = true;
    expect(await step.run(signal)).toBe('done');
    expect(await step.run(signal)).toBe('done');
    const days = ['2026-11-23', '2026-11-24', '2026-11-24', '2026-11-25', '2026-11-26'];
    expect(asked).toEqual(days);
  });
});

test('a first night that does not come to its end on its day is made up for', async () => {
  const { clock, step, asked, file } = await nights();
  file.isThere = false;
  const { signal } = new AbortController();
  expect(await step.run(signal)).toBe('later');
  clock.jump(2 * dayMs);
  file.isThere = true;
  expect(await step.run(signal)).toBe('done');
  expect(asked).toEqual(['2026-11-23', '2026-11-23', '2026-11-24', '2026-11-25']);
});

test('a night whose file does not come is asked for less and less often, and every hour at least', async () => {
  const { step, file } = await nights();
  const { signal } = new AbortController();
  const waits: (number | undefined)[] = [];
  file.isThere = false;
  for (let night = 0; night < 6; night += 1) {
    expect(await step.run(signal)).toBe('later');
    waits.push(step.laterMs);
  }
  expect(waits.map((ms = 0) => ms / 60_000)).toEqual([10, 20, 40, 60, 60, 60]);
  file.isThere = true;
  expect(await step.run(signal)).toBe('done');
  expect(step.laterMs).toBe(10 * 60_000);
});

test('a night that is still under way is left when the process stops', async () => {
  const { clock, log, cipher } = await shop();
  const step = nightlyStep({
    ...{ clock, marks: new DayMarks({ log, cipher }, 'reconcile') },
    reconcileNight: () => new Promise<never>(() => undefined),
  });
  const stop = new AbortController();
  const run = step.run(stop.signal);
  await clock.advance(10);
  stop.abort();
  expect(await run).toBe('later');
});

describe('the schedule', () => {
  test('runs steps at their times, one that fails again soon, and none without the lease', async () => {
    const clock = new VirtualClock(noon);
    const stop = new AbortController();
    const ran: string[] = [];
    const troubles: string[] = [];
    let works = false;
    const running = runSchedule({
      ...{ clock, signal: stop.signal, mayWork: () => works },
      onTrouble: (step, detail) => troubles.push(`${step}: ${detail}`),
      steps: [
        {
          ...{ name: 'often', everyMs: 1_000 },
          run: async () => {
            ran.push('often');
            return 'done';
          },
        },
        {
          ...{ name: 'seldom', everyMs: dayMs },
          run: async () => {
            ran.push('seldom');
            if (ran.filter((name) => name === 'seldom').length === 1) throw new Error('not now');
            return 'done';
          },
        },
      ],
    });
    await clock.advance(5_000);
    expect(ran).toEqual([]);
    works = true;
    await clock.advance(10_000);
    expect(ran.filter((name) => name === 'seldom')).toHaveLength(2);
    expect(ran.filter((name) => name === 'often').length).toBeGreaterThan(5);
    expect(troubles).toEqual(['seldom: Error: not now']);
    stop.abort();
    await clock.until(running);
  });
});
