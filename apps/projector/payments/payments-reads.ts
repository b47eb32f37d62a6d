import {
  cassandraLedgerReadModel,
  cassandraPaymentsReadModel,
  cassandraWalletsReadModel,
  type LedgerReadModel,
  type LiveCassandraGeneration,
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
  cassandraBooksComparison,
  cassandraMovementsReadModel,
  cassandraQueuesReadModel,
  type MovementsReadModel,
  type QueuesReadModel,
  reconciliationProjection,
  sqliteBooksComparison,
  sqliteMovementsReadModel,
  sqliteQueuesReadModel,
} from '@annals/payments/reconciliation';
import {
  cassandraDeliveryLog,
  type DeliveryLog,
  sqliteDeliveryLog,
  webhooksProjection,
} from '@annals/payments/webhooks-out';
import { divergedGenerations, type GenerationDirectory, type Projection } from '@annals/projection';
import type { Site } from '../site/open-site.ts';
import type { LiveOptions } from '../site/open-stores.ts';

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
  /** Those of all these read models. */
  readonly projections: readonly Projection[];
  /** `building` while the first generation of one of them is filled. */
  state(): 'ready' | 'building' | 'lost';
  close(): Promise<void>;
}

/** A first generation is being filled, or waits for somebody to make it live. */
export class PaymentsBuildingError extends Error {
  readonly code = 'read-model-building';
  constructor() {
    super('not all read models of payments are live yet (/readyz says why)');
    this.name = 'PaymentsBuildingError';
  }
}

/** Reads of the live generations; they throw PaymentsBuildingError while there is none. */
export async function paymentsReads(
  site: Site,
  generations: GenerationDirectory,
  options: Pick<LiveOptions, 'answerMsMax'> = {},
): Promise<PaymentsReads> {
  const projections: Projection[] = [];
  const open = (projection: Projection) => {
    projections.push(projection);
    return liveOf(site, generations, projection, options);
  };
  const ledger = await open(ledgerProjection);
  const wallets = await open(walletsProjection);
  const payments = await open(paymentsProjection);
  const reconciliation = await open(reconciliationProjection);
  const webhooks = await open(webhooksProjection);
  const all = [ledger, wallets, payments, reconciliation, webhooks];
  return {
    projections,
    ledger: readModelOf(ledger, sqliteLedgerReadModel, cassandraLedgerReadModel),
    wallets: readModelOf(wallets, sqliteWalletsReadModel, cassandraWalletsReadModel),
    payments: readModelOf(payments, sqlitePaymentsReadModel, cassandraPaymentsReadModel),
    deliveries: readModelOf(webhooks, sqliteDeliveryLog, cassandraDeliveryLog),
    movements: readModelOf(reconciliation, sqliteMovementsReadModel, cassandraMovementsReadModel),
    queues: readModelOf(reconciliation, sqliteQueuesReadModel, cassandraQueuesReadModel),
    books: booksOf(ledger, wallets),
    state: () => {
      const states = all.map((one) => one.state());
      if (states.includes('lost')) return 'lost';
      return states.includes('building') ? 'building' : 'ready';
    },
    close: async () => {
      for (const one of all) await one.close();
    },
  };
}

function readModelOf<Model>(
  live: Live,
  onSqlite: (live: LiveGeneration) => Model,
  onCassandra: (live: LiveCassandraGeneration) => Model,
): Model {
  return live.kind === 'sqlite' ? onSqlite(live) : onCassandra(live);
}

function booksOf(ledger: Live, wallets: Live): BooksComparison {
  if (ledger.kind === 'sqlite' && wallets.kind === 'sqlite') {
    return sqliteBooksComparison(ledger, wallets);
  }
  if (ledger.kind === 'cassandra' && wallets.kind === 'cassandra') {
    return cassandraBooksComparison(ledger, wallets);
  }
  throw new RangeError(`the ledger is in ${ledger.kind}, and the wallets are in ${wallets.kind}`);
}

type State = 'ready' | 'building' | 'lost';

interface Watched {
  state(): State;
  close(): Promise<void> | void;
}

type Live =
  | ({ readonly kind: 'sqlite' } & LiveGeneration & Watched)
  | ({ readonly kind: 'cassandra' } & LiveCassandraGeneration & Watched);

async function liveOf(
  site: Site,
  generations: GenerationDirectory,
  projection: Projection,
  options: Pick<LiveOptions, 'answerMsMax'>,
): Promise<Live> {
  const log = site.logOf('payments');
  const means = { log, projection, store: site.storeFor(projection) };
  const diverged = await divergedGenerations(means, generations.state(projection.name));
  // Made by another version of the program: nobody here can tell what it holds.
  const isOther = () => {
    const live = generations.live(projection.name);
    return live !== undefined && live.version !== projection.version;
  };
  const liveGeneration = () => generations.live(projection.name);
  const opened = site.liveFor(projection, { ...options, liveGeneration, diverged });
  const { live } = opened;
  const waitFor: LiveGeneration['waitFor'] = async (checkpoint, timeoutMs, signal) => {
    const waited = await live.waitFor(checkpoint, { timeoutMs, ...(signal ? { signal } : {}) });
    return waited === 'timeout' ? 'late' : waited;
  };
  const close = () => live.close();
  switch (opened.kind) {
    case 'sqlite': {
      const { kind, live: reader } = opened;
      const current = () => (isOther() ? lost : built(reader.current()));
      const state = () => (isOther() ? 'lost' : reader.current().kind);
      return { kind, current, waitFor, state, close };
    }
    case 'cassandra': {
      const { kind, live: reader } = opened;
      const current = async () => (isOther() ? lost : built(await reader.current()));
      const state = lastSeen(async () => (await reader.current()).kind);
      return { kind, current, waitFor, state: () => (isOther() ? 'lost' : state()), close };
    }
    default:
      throw new RangeError(`payments cannot be read in ${opened.kind}`);
  }
}

const lost = { kind: 'lost' } as const;

/** What the last look found; each call has another one taken. A store that does not answer is building. */
function lastSeen(look: () => Promise<State>): () => State {
  let seen: State = 'building';
  let isLooking = false;
  const lookAgain = async () => {
    isLooking = true;
    seen = await look().catch((): State => 'building');
    isLooking = false;
  };
  return () => {
    if (!isLooking) void lookAgain();
    return seen;
  };
}

function built<Current extends { readonly kind: string }>(
  current: Current,
): Exclude<Current, { readonly kind: 'building' }> {
  if (current.kind === 'building') throw new PaymentsBuildingError();
  return current as Exclude<Current, { readonly kind: 'building' }>;
}
