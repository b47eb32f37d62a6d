import { type SubjectCipher, systemClock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { ledgerProjection, paymentsProjection, walletsProjection } from '@annals/payments';
import {
  describeBooks,
  describeDeliveryLog,
  describeNightReads,
  describePaymentLists,
  fedGeneration,
  feed,
} from '@annals/payments/contract';
import { webhooksProjection } from '@annals/payments/webhooks-out';
import { memoryProjectionStore, type Projection } from '@annals/projection';
import { describe } from 'vitest';
import { twinDeliveries } from './twin-deliveries.ts';
import { twinLedger } from './twin-ledger.ts';
import { twinPayments } from './twin-payments.ts';
import { type TwinReads, twinReads } from './twin-reads.ts';
import { twinBooksComparison, twinMovements } from './twin-reconciliation.ts';
import { twinWallets } from './twin-wallets.ts';

/** The store twin, which has followed a log to its end. */
async function fedTwin(
  projection: Projection,
  log: EventLog,
  cipher: SubjectCipher,
): Promise<TwinReads> {
  const store = memoryProjectionStore({ clock: systemClock });
  await feed(store, projection, log, cipher);
  const directory = { live: () => fedGeneration(projection) };
  return twinReads(store, directory, projection.name, systemClock);
}

/** What the read models of SQLite and Cassandra answer, those of the simulation answer, too. */
describe('the read models of the simulation', () => {
  describeBooks({
    seeds: [1, 2, 3, 4],
    stepCount: 400,
    ledger: async (log, cipher) => twinLedger(await fedTwin(ledgerProjection, log, cipher)),
    wallets: async (log, cipher) =>
      twinWallets(await fedTwin(walletsProjection, log, cipher), { sawWallet: () => undefined }),
  });

  describePaymentLists({
    seeds: [1, 2, 3, 4],
    stepCount: 400,
    payments: async (log, cipher) => twinPayments(await fedTwin(paymentsProjection, log, cipher)),
  });

  describeDeliveryLog({
    seeds: [1, 2, 3],
    deliveries: async (log, cipher) =>
      twinDeliveries(await fedTwin(webhooksProjection, log, cipher)),
  });

  describeNightReads({
    seeds: [1, 2, 3],
    stepCount: 300,
    live: fedTwin,
    movements: twinMovements,
    books: twinBooksComparison,
  });
});
