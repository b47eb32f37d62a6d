import { type PspSite, sitePace } from '@annals/payments/psp/contract';
import { followHint, type Observed, type ObserverMeans, sweep } from '@annals/payments/reactors';
import { afterEach, expect, test } from 'vitest';
import { openInProcess } from './testing/sites.ts';

const opened: PspSite[] = [];
afterEach(async () => {
  for (const site of opened.splice(0)) await site.close();
});

/** What a domain knows of the objects at a provider: only what it was shown. */
function domainOf(site: PspSite) {
  const known = new Map<string, string>();
  const means: ObserverMeans = {
    psp: () => site.psp,
    observe: async ({ kind, value }: Observed) => {
      const [name, status] = [`${kind} ${value.id}`, String(value.status)];
      if (known.get(name) === status) return 'unchanged';
      known.set(name, status);
      return 'changed';
    },
  };
  const follow = async (deliveries = site.deliveries()) => {
    for (const delivery of deliveries) {
      const parsed = site.psp.parseWebhook(delivery);
      if (parsed.kind === 'hint') await followHint(means, parsed.hint);
    }
  };
  return { known, means, follow };
}

async function openWithPayout() {
  const site = await openInProcess();
  opened.push(site);
  await site.topUp(1_000n, 'USD');
  const destination = 'ba_sandbox_fails_after_paid';
  const request = { key: 'k', reference: 'payout-1', destination };
  const amount = { amount: 1_000n, currency: 'USD' };
  const made = await site.psp.createPayout({ ...request, amount });
  if (made.kind !== 'answered') throw new Error(made.kind);
  const toTheEnd = async () => {
    await site.pass(sitePace.payoutInTransitMs);
    await site.pass(sitePace.payoutPaidMs);
    await site.pass(sitePace.payoutFailsMs);
  };
  return { site, id: made.value.id, toTheEnd };
}

test('webhooks in any order and number come to the same', async () => {
  const { site, id, toTheEnd } = await openWithPayout();
  await toTheEnd();
  const deliveries = site.deliveries();
  expect(deliveries.length).toBeGreaterThan(3);
  for (const order of [deliveries, [...deliveries].reverse(), [...deliveries, ...deliveries]]) {
    const { known, follow } = domainOf(site);
    await follow(order);
    expect(known.get(`payout ${id}`)).toBe('failed');
  }
});

test('where every webhook was lost a sweep finds what has become of it', async () => {
  const { site, id, toTheEnd } = await openWithPayout();
  await site.inject({ event: '*', do: 'lose', times: 1_000 });
  const { known, means, follow } = domainOf(site);
  await toTheEnd();
  await follow();
  expect(known.get(`payout ${id}`)).not.toBe('paid');
  const waiting = [{ psp: 'stripe', object: { kind: 'payout', id } } as const];
  await sweep(means, waiting, new AbortController().signal);
  expect(known.get(`payout ${id}`)).toBe('failed');
});
