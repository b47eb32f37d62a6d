import { systemClock } from '@annals/core';
import { mayFailOver, type Psp, PspRouting } from '@annals/payments/psp';
import type { PspSite } from '@annals/payments/psp/contract';
import { afterEach, expect, test } from 'vitest';
import { openInProcess } from './testing/sites.ts';

const opened: PspSite[] = [];
afterEach(async () => {
  for (const site of opened.splice(0)) await site.close();
});

const amount = { amount: 1_999n, currency: 'USD' };

/** Two sandboxes, the first one preferred. */
async function openTwo() {
  const [first, second] = [await openInProcess('first'), await openInProcess('second')];
  opened.push(first, second);
  const routing = new PspRouting({
    psps: [first.psp, second.psp],
    rules: [{ psp: 'first' }, { psp: 'second' }],
    breaker: { clock: systemClock, openMs: 100, callsMin: 3 },
  });
  return { first, second, routing };
}

function chosen(routing: PspRouting, tried: readonly string[] = []): Psp {
  const choice = routing.choose({ amount }, tried);
  if (choice.kind !== 'chosen') throw new Error(choice.detail);
  return choice.psp;
}

let keys = 0;
function create(psp: Psp, method = 'pm_card_visa') {
  keys += 1;
  const request = { key: `k-${keys}`, reference: `r-${keys}`, amount, method };
  return psp.createPayment({ ...request, capture: 'automatic' });
}

test('a fault of the card network is surely no charge: the second provider charges once', async () => {
  const { first, second, routing } = await openTwo();
  const psp = chosen(routing);
  const made = await create(psp, 'pm_card_chargeDeclinedProcessingError');
  if (made.kind !== 'answered') throw new Error(made.kind);
  const declined = await psp.confirmPayment({ key: 'c-1', paymentId: made.value.id });
  expect(mayFailOver(declined)).toBe(true);
  await psp.voidPayment({ key: 'v-1', paymentId: made.value.id });
  const other = chosen(routing, ['first']);
  const again = await create(other);
  if (again.kind !== 'answered') throw new Error(again.kind);
  const paid = await other.confirmPayment({ key: 'c-2', paymentId: again.value.id });
  expect(paid).toMatchObject({ value: { psp: 'second', status: 'captured' } });
  const voided = await first.psp.retrieve('payment', made.value.id);
  expect(voided).toMatchObject({ value: { status: 'voided', captured: { amount: 0n } } });
  expect(await second.count('payment')).toBe(1);
});

test('an answer that was lost is no reason to fail over: the first provider has charged', async () => {
  const { first, routing } = await openTwo();
  await first.inject({ operation: 'payment_intents.confirm', do: 'cut', when: 'after' });
  const psp = chosen(routing);
  const made = await create(psp);
  if (made.kind !== 'answered') throw new Error(made.kind);
  const lost = await psp.confirmPayment({ key: 'c-1', paymentId: made.value.id });
  expect(lost.kind).toBe('unknown');
  expect(mayFailOver(lost)).toBe(false);
  const found = await psp.retrieve('payment', made.value.id);
  expect(found).toMatchObject({ value: { status: 'captured' } });
});

test('a provider that answers nothing is left alone, its payments wait, and it comes back', async () => {
  const { first, routing } = await openTwo();
  const made = await create(chosen(routing));
  if (made.kind !== 'answered') throw new Error(made.kind);
  await first.inject({ operation: '*', do: 'cut', when: 'before', times: 3 });
  for (let call = 0; call < 3; call += 1) {
    await routing.psp('first')?.retrieve('payment', made.value.id);
  }
  expect(chosen(routing).name).toBe('second');
  const confirm = () =>
    routing.psp('first')?.confirmPayment({ key: 'c-1', paymentId: made.value.id });
  expect(await confirm()).toMatchObject({ kind: 'refused', reason: 'unavailable' });
  await expect
    .poll(async () => (await confirm())?.kind, { timeout: 10_000, interval: 20 })
    .toBe('answered');
  expect(chosen(routing).name).toBe('first');
});
