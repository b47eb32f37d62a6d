import {
  type LedgerReadModel,
  type LiveGeneration,
  ledgerProjection,
  type PaymentsReadModel,
  paymentsProjection,
  sqliteLedgerReadModel,
  sqlitePaymentsReadModel,
  sqliteWalletsReadModel,
  type WalletsReadModel,
  walletsProjection,
} from '@annals/payments';
import {
  type BooksComparison,
  type MovementsReadModel,
  type QueuesReadModel,
  reconciliationProjection,
  sqliteBooksComparison,
  sqliteMovementsReadModel,
  sqliteQueuesReadModel,
} from '@annals/payments/reconciliation';
import {
  type DeliveryLog,
  sqliteDeliveryLog,
  webhooksProjection,
} from '@annals/payments/webhooks-out';
import { divergedGenerations, type GenerationDirectory, type Projection } from '@annals/projection';
import type { Site } from '../site/open-site.ts';

/** The read models of payments on the store that was chosen. */
export interface PaymentsReads {
  readonly ledger: LedgerReadModel;
  readonly wallets: WalletsReadModel;
  readonly payments: PaymentsReadModel;
  readonly movements: MovementsReadModel;
  readonly queues: QueuesReadModel;
  readonly books: BooksComparison;
  /** What merchants were told. */
  readonly deliveries: DeliveryLog;
  /** `building` while the first generation of one of them is filled. */
  state(): 'ready' | 'building' | 'lost';
  close(): void;
}

/** The first generation is being filled: reads can be answered soon, and nothing needs to be repaired. */
export class PaymentsBuildingError extends Error {
  readonly code = 'read-model-building';
  constructor() {
    super('the read models of payments are filled for the first time');
    this.name = 'PaymentsBuildingError';
  }
}

/** Reads of the live generations; they throw PaymentsBuildingError while there is none. */
export async function paymentsReads(
  site: Site,
  generations: GenerationDirectory,
): Promise<PaymentsReads> {
  const ledger = await liveOf(site, generations, ledgerProjection);
  const wallets = await liveOf(site, generations, walletsProjection);
  const payments = await liveOf(site, generations, paymentsProjection);
  const reconciliation = await liveOf(site, generations, reconciliationProjection);
  const webhooks = await liveOf(site, generations, webhooksProjection);
  const all = [ledger, wallets, payments, reconciliation, webhooks];
  return {
    ledger: sqliteLedgerReadModel(ledger),
    wallets: sqliteWalletsReadModel(wallets),
    payments: sqlitePaymentsReadModel(payments),
    deliveries: sqliteDeliveryLog(webhooks),
    movements: sqliteMovementsReadModel(reconciliation),
    queues: sqliteQueuesReadModel(reconciliation),
    books: sqliteBooksComparison(ledger, wallets),
    state: () => {
      const states = all.map((one) => one.state());
      if (states.includes('lost')) return 'lost';
      return states.includes('building') ? 'building' : 'ready';
    },
    close: () => {
      for (const one of all) one.close();
    },
  };
}

interface Live extends LiveGeneration {
  state(): 'ready' | 'building' | 'lost';
  close(): void;
}

async function liveOf(
  site: Site,
  generations: GenerationDirectory,
  projection: Projection,
): Promise<Live> {
  const log = site.logOf('payments');
  const means = { log, projection, store: site.storeFor(projection) };
  const diverged = await divergedGenerations(means, generations.state(projection.name));
  const isOther = () => {
    const live = generations.live(projection.name);
    return live !== undefined && live.version !== projection.version;
  };
  const liveGeneration = () => generations.live(projection.name);
  const { kind, live } = site.liveFor(projection, { liveGeneration, diverged });
  if (kind !== 'sqlite') throw new RangeError(`payments cannot be read in ${kind}`);
  return {
    current: () => {
      // Made by another version of the program: nobody here can tell what it holds.
      if (isOther()) return { kind: 'lost' };
      const current = live.current();
      if (current.kind === 'building') throw new PaymentsBuildingError();
      return current;
    },
    waitFor: async (checkpoint, timeoutMs, signal) => {
      const waited = await live.waitFor(checkpoint, { timeoutMs, ...(signal ? { signal } : {}) });
      return waited === 'timeout' ? 'late' : waited;
    },
    state: () => (isOther() ? 'lost' : live.current().kind),
    close: () => live.close(),
  };
}
