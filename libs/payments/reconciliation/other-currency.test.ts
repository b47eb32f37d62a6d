import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { observeDispute } from '../decide/after-capture.ts';
import { observePayment } from '../decide/attempts.ts';
import type { CheckoutEvent, RecordedPaymentsEvent } from '../events.ts';
import { journalOf } from '../journal.ts';
import type { Decided, Refused } from '../outcome.ts';
import type { PspMoney } from '../psp/port.ts';
import { evolve } from '../state.ts';
import { authorizedCheckout, openCommand, paymentTold } from '../testing/paid-order.ts';
import { clearingMovements } from './clearing-movements.ts';
import type { MappedLine } from './mapped-line.ts';
import type { Break } from './match-key.ts';
import type { Movement } from './movement.ts';
import { reconcile } from './reconcile.ts';

/** A provider without a balance in the currency of a charge settles it in another one, and takes its fee in that. */

const at = openCommand.expiresAt;
const yen: PspMoney = { amount: 1_750n, currency: 'JPY' };
const dollars: PspMoney = { amount: 300n, currency: 'USD' };

function eventsOf(made: Decided<CheckoutEvent> | Refused): readonly CheckoutEvent[] {
  if (made.kind === 'refused') throw new Error(made.detail);
  return made.events;
}

function captured(fee: PspMoney) {
  const checkout = authorizedCheckout();
  const payment = { ...paymentTold('captured'), fee };
  const events = eventsOf(observePayment(checkout, 'o-1', 1, payment, at));
  return { events, checkout: events.reduce(evolve, checkout) };
}

/** Debits less credits of the provider's fees, by currency. */
function fees(events: readonly CheckoutEvent[]): Record<string, bigint> {
  const sums: Record<string, bigint> = {};
  for (const entry of events.flatMap((event) => journalOf(event) ?? [])) {
    for (const { account, amount } of entry.postings) {
      if (account === 'psp_fees') sums[entry.currency] = (sums[entry.currency] ?? 0n) + amount;
    }
  }
  return sums;
}

test('a fee is booked in the currency of its charge, and never as if it were in it', () => {
  expect(fees(captured(dollars).events)).toEqual({ USD: 300n });
  expect(fees(captured(yen).events)).toEqual({});
});

test('so is that of a dispute', () => {
  const { checkout } = captured(dollars);
  const of = { id: 'dp_1', amount: { amount: 10n, currency: 'USD' }, reason: 'fraudulent' };
  const opened = (fee: PspMoney) =>
    eventsOf(observeDispute(checkout, 'o-1', { ...of, status: 'needs_response', fee }, at));
  expect(fees(opened(dollars))).toEqual({ USD: 300n });
  expect(fees(opened(yen))).toEqual({});
});

let folder = '';
afterAll(() => rm(folder, { recursive: true }));

test('reconciliation finds the charge by the row of the file, in its currency', async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-test-'));
  const named = [
    { type: 'attempt-created', data: { psp: 'one', psp_payment_id: 'pi_1', attempt: 1 } },
    ...captured(yen).events,
  ].map((event, revision) => {
    const of = { checkout_id: 'c-1', payment_order_id: 'o-1', ...event.data };
    return { ...event, data: of, stream: 'checkout-c-1', revision, id: `e-${revision}` };
  });
  const ours = named.map((event) => ({ ...event, recordedAt: at, occurredAt: at }));
  const [movement] = clearingMovements(ours as unknown as readonly RecordedPaymentsEvent[]);
  if (!movement) throw new Error('the charge has not moved');
  expect(movement).toMatchObject({ currency: 'USD', amount: 10_000n, fee: 0n });
  const row: Movement = { ...movement, currency: 'JPY', amount: 15_000n, fee: 1_750n };
  const found: Break[] = [];
  await reconcile({
    file: (async function* (): AsyncGenerator<MappedLine<Movement>[]> {
      yield [{ kind: 'row', line: 2, row }];
    })(),
    movementOf: (one: Movement) => one,
    ledger: (async function* () {
      yield [movement];
    })(),
    ...{ until: at + 86_400_000, scratchFolder: folder, runRows: 10 },
    onBreaks: (breaks) => void found.push(...breaks),
  });
  expect(found).toMatchObject([{ class: 'currency_mismatch' }]);
});
