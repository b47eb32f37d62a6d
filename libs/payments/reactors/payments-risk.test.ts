import { newId } from '@annals/core';
import { EventTypes, memoryEventLog } from '@annals/event-log';
import { runReactor } from '@annals/projection';
import { VirtualClock } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { checkoutEvents } from '../events.ts';
import type { Psp } from '../psp/port.ts';
import type { PspRouting } from '../psp/routing.ts';
import { decideDenyList, denyListEventTypes, denyListStream } from '../risk/deny-list.ts';
import { DenyListScreen } from '../risk/index.ts';
import { openRisk, type RiskRules } from '../risk/open-risk.ts';
import { Payments } from '../service.ts';
import { buyerSubject } from '../streams.ts';
import { openCommand, shopTerms } from '../testing/paid-order.ts';
import { paymentsRisk } from './payments-risk.ts';

const oneProvider: Pick<PspRouting, 'choose'> = {
  choose: () => ({ kind: 'chosen', psp: { name: 'one' } as Psp }),
};

async function desk(rules: RiskRules = {}) {
  const clock = new VirtualClock(Date.parse('2026-11-24T12:00:00Z'));
  const log = memoryEventLog({ clock });
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const wallets = {
    waitFor: async () => 'lost' as const,
    wallets: async () => ({ kind: 'lost' as const }),
  };
  const payments = new Payments({ log, cipher, clock, wallets });
  await payments.putSeller('shop', shopTerms);
  const open = (checkoutId: string, email = 'ann@example.org') =>
    payments.open({ ...openCommand, checkoutId, buyerInfo: { email, name: 'Ann' } });
  /** Assesses what is there: a process that starts, works, and ends. */
  const work = async (routing?: Pick<PspRouting, 'choose'>) => {
    const stop = new AbortController();
    const { signal } = stop;
    const onTrouble = (detail: string) => {
      throw new Error(detail);
    };
    const screen = await openRisk({ log, cipher, clock, signal, rules, onTrouble });
    const reactor = paymentsRisk({
      ...{ log, cipher, clock, screen },
      ...(routing ? { routing } : {}),
    });
    const run = runReactor({ log, cipher, clock, reactor, signal, runId: newId(), from: {} });
    await clock.advance(1_000);
    stop.abort();
    await clock.until(run);
  };
  const verdict = async (checkoutId: string) => {
    const { events } = await log.readStream(`checkout-${checkoutId}`);
    return (await checkoutEvents.decode(events, cipher)).flatMap(({ type, data }) =>
      type === 'order-risk-assessed' ? [`${data.verdict} ${String(data.rules)}`] : [],
    );
  };
  const types = async (checkoutId: string) => {
    const { events } = await log.readStream(`checkout-${checkoutId}`);
    return events.map(({ type }) => type);
  };
  return { log, keys, cipher, clock, open, work, verdict, types };
}

test('every order gets its verdict, once, before anything else is in its stream', async () => {
  const { open, work, verdict } = await desk();
  await open('c-1');
  await work();
  await work();
  expect(await verdict('c-1')).toEqual(['accepted ']);
});

test('what an only order needs next is asked for in the append of its verdict', async () => {
  const reviewed = await desk({ amounts: [{ currency: 'USD', reviewFrom: 1n }] });
  await reviewed.open('c-1');
  await reviewed.work(oneProvider);
  expect(await reviewed.types('c-1')).toEqual(['checkout-opened', 'order-risk-assessed']);

  const free = await desk();
  await free.open('c-1');
  await free.work(oneProvider);
  const requested = ['checkout-opened', 'order-risk-assessed', 'attempt-requested'];
  expect(await free.types('c-1')).toEqual(requested);
  await free.work(oneProvider);
  expect(await free.types('c-1')).toEqual(requested);
});

test('where no provider can be asked now, the verdict is written alone', async () => {
  const { open, work, types } = await desk();
  await open('c-1');
  await work({ choose: () => ({ kind: 'unavailable', detail: 'none is up' }) });
  expect(await types('c-1')).toEqual(['checkout-opened', 'order-risk-assessed']);
});

test('who is on the deny list of the log is rejected', async () => {
  const { open, work, verdict, log, cipher } = await desk();
  const change = { list: 'buyer', value: 'Eve@example.org', reason: 'fraud' } as const;
  const by = { decidedBy: 'finance', requestId: 'r-1', at: 0 };
  const event = decideDenyList(new DenyListScreen(), 'listed', { ...change, ...by });
  const encoded = await new EventTypes([...denyListEventTypes]).encode(
    event ? [event] : [],
    cipher,
  );
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await log.append(denyListStream, encoded.events, { expected: 'any' });
  await open('c-1', 'eve@example.org');
  await open('c-2', 'ann@example.org');
  await work();
  expect(await verdict('c-1')).toEqual(['rejected deny-list:buyer']);
  expect(await verdict('c-2')).toEqual(['accepted ']);
});

test('velocity counts on after a restart, and forgets what is older than its window', async () => {
  const hour = 3_600_000;
  const rule = { by: 'buyer', windowMs: hour, ordersMax: 1, verdict: 'review' } as const;
  const { open, work, verdict, clock } = await desk({ velocity: [rule] });
  await open('c-1');
  await work();
  await open('c-2');
  await work();
  clock.jump(2 * hour);
  await open('c-3');
  await work();
  expect(await verdict('c-1')).toEqual(['accepted ']);
  expect(await verdict('c-2')).toEqual(['review velocity:buyer']);
  expect(await verdict('c-3')).toEqual(['accepted ']);
});

test('amounts, sanctions and deny lists are asked together: the strictest counts', async () => {
  const { open, work, verdict } = await desk({
    amounts: [{ currency: 'USD', reviewFrom: 5_000n }],
    sanctions: ['Ann'],
  });
  await open('c-1');
  await work();
  expect(await verdict('c-1')).toEqual(['rejected amount:review,sanctions:match']);
});

test('a buyer who was erased is not assessed, and nothing stands still', async () => {
  const { open, work, verdict, keys } = await desk();
  await open('c-1');
  await open('c-2', 'bob@example.org');
  await keys.destroy([buyerSubject('c-1')]);
  await work();
  expect(await verdict('c-1')).toEqual([]);
  expect(await verdict('c-2')).toEqual(['accepted ']);
});
