import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, newId, systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { type Authenticator, createServer, type HttpServer } from '@annals/http';
import { effectiveScopes } from '@annals/iam';
import {
  assessRisk,
  type LiveGeneration,
  ledgerProjection,
  Payments,
  paymentsProjection,
  sqliteLedgerReadModel,
  sqlitePaymentsReadModel,
  sqliteWalletsReadModel,
  walletsProjection,
} from '@annals/payments';
import { Finance } from '@annals/payments/finance';
import { IdempotencyStore } from '@annals/payments/idempotency';
import {
  reconciliationProjection,
  sqliteMovementsReadModel,
  sqliteQueuesReadModel,
} from '@annals/payments/reconciliation';
import { DenyLists } from '@annals/payments/risk';
import { sqliteDeliveryLog, Webhooks, webhooksProjection } from '@annals/payments/webhooks-out';
import { generationDirectory, type Projection, runProjector } from '@annals/projection';
import { liveReader, sqliteProjectionStore } from '@annals/store-sqlite';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { type PaymentsApiMeans, paymentsErrors, paymentsRoutes } from '../index.ts';
import { type Provider, startProvider } from './provider.ts';

const projections = [
  paymentsProjection,
  walletsProjection,
  ledgerProjection,
  webhooksProjection,
  reconciliationProjection,
];

/** The clock of a test: time goes on, and a test may set it ahead. */
export class AheadClock implements Clock {
  aheadMs = 0;

  now(): number {
    return Date.now() + this.aheadMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  readonly body: any;
}

export interface CallOptions {
  readonly body?: unknown;
  /** The token of a key; one that may do everything unless told. */
  readonly key?: string;
  readonly headers?: { readonly [name: string]: string };
}

export interface TestApi {
  readonly server: HttpServer;
  readonly means: PaymentsApiMeans;
  readonly log: ReturnType<typeof memoryEventLog>;
  readonly clock: AheadClock;
  readonly keys: ReturnType<typeof memorySubjectKeyStore>;
  /** A new key: its token. */
  issueKey(scopes: readonly string[]): string;
  revokeKey(token: string): void;
  /** Lines the server has logged. */
  readonly lines: readonly string[];
  readonly provider: Provider;
  call(route: string, options?: CallOptions): Promise<Answer>;
  /** The same routes as another process serves them, on the same log. */
  otherProcess(more?: Partial<PaymentsApiMeans>): Promise<HttpServer>;
  close(): Promise<void>;
}

export interface TestApiOptions {
  /** Runs the reactors against a provider in this process; then risk lets every order through. */
  readonly pays?: boolean;
  readonly holdMs?: number;
}

/** A reader as the read models of payments ask for it: what is being filled is lost to them. */
function readable(reader: ReturnType<typeof liveReader>): LiveGeneration {
  return {
    current: () => {
      const live = reader.current();
      return live.kind === 'ready' ? live : { kind: 'lost' };
    },
    waitFor: async (checkpoint, timeoutMs) => {
      const reached = await reader.waitFor(checkpoint, { timeoutMs });
      return reached === 'timeout' ? 'late' : reached;
    },
  };
}

/** The payments API over the log in memory, with its read models in SQLite files kept by a projector. */
export async function openApi({ pays = false, holdMs }: TestApiOptions = {}): Promise<TestApi> {
  const clock = new AheadClock();
  const log = memoryEventLog({ clock });
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const folder = mkdtempSync(join(tmpdir(), 'annals-payments-api-'));
  const stop = new AbortController();
  const { signal } = stop;
  const directory = generationDirectory(log, { signal, clock });
  const storeFor = ({ name }: Projection) =>
    sqliteProjectionStore({ folder, projection: name, clock });
  const projector = runProjector({
    ...{ log, cipher, clock, signal, directory, projections, storeFor, holder: newId() },
  });
  const readers = projections.map(({ name: projection }) =>
    liveReader({ folder, projection, clock, liveGeneration: () => directory.live(projection) }),
  );
  const [forPayments, forWallets, forLedger, forWebhooks, forBreaks] = readers.map(readable);
  if (!forPayments || !forWallets || !forLedger || !forWebhooks || !forBreaks)
    throw new Error('a read model is missing');
  const wallets = sqliteWalletsReadModel(forWallets);
  const idempotencyOf = () =>
    new IdempotencyStore({
      ...{ log, cipher, clock, holder: newId(), ...(holdMs === undefined ? {} : { holdMs }) },
    });
  const provider = startProvider({ log, cipher, clock, signal, runs: pays });
  const payments = new Payments({ log, cipher, clock, wallets, steps: provider.routing });
  const means: PaymentsApiMeans = {
    ...{ log, cipher, clock, payments, wallets },
    paymentsRead: sqlitePaymentsReadModel(forPayments),
    ledger: sqliteLedgerReadModel(forLedger),
    idempotency: idempotencyOf(),
    finance: new Finance({ log, cipher, clock }),
    denyLists: new DenyLists({ log, cipher, cardOf: async (_, token) => `fp-of-${token}` }),
    webhooks: webhooksOn(log, cipher, clock, forWebhooks),
    payoutPsp: () => 'stripe',
    pagePsp: ({ amount }) => (amount.currency === 'JPY' ? undefined : 'stripe'),
    reconciliation: {
      files: { log, cipher, clock, movements: sqliteMovementsReadModel(forBreaks) },
      queues: sqliteQueuesReadModel(forBreaks),
      psps: ['stripe'],
    },
  };
  const lines: string[] = [];
  const apiKeys = new ApiKeys();
  const server = await serve(means, lines, apiKeys);
  if (pays) void letThrough(means, signal);
  await Promise.all(
    readers.map(async (reader) => {
      while (reader.current().kind !== 'ready') await systemClock.sleep(2);
    }),
  );
  return {
    ...{ server, means, log, clock, keys, lines, provider },
    call: (route, options = {}) => call(server, route, options),
    issueKey: (scopes) => apiKeys.issue(scopes),
    revokeKey: (token) => apiKeys.revoke(token),
    otherProcess: (more = {}) =>
      serve({ ...means, idempotency: idempotencyOf(), ...more }, lines, apiKeys),
    close: async () => {
      await server.stop();
      stop.abort();
      await Promise.all([projector.done, provider.done]);
      for (const reader of readers) reader.close();
      await log.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function webhooksOn(
  log: TestApi['log'],
  cipher: PaymentsApiMeans['cipher'],
  clock: Clock,
  live: LiveGeneration,
): Webhooks {
  return new Webhooks({
    ...{ log, cipher, clock, allowPrivate: false },
    deliveries: sqliteDeliveryLog(live),
  });
}

/** The key that may do everything. */
const adminKey = 'key-admin';

class ApiKeys implements Authenticator {
  readonly #scopes = new Map<string, readonly string[] | 'revoked'>([[adminKey, ['admin']]]);

  issue(scopes: readonly string[]): string {
    const token = `key-${newId()}`;
    this.#scopes.set(token, scopes);
    return token;
  }

  revoke(token: string): void {
    this.#scopes.set(token, 'revoked');
  }

  authenticate(token: string) {
    const scopes = this.#scopes.get(token);
    if (scopes === undefined) return { kind: 'rejected', reason: 'unknown' } as const;
    if (scopes === 'revoked') return { kind: 'rejected', reason: 'revoked' } as const;
    const [keyId, name] = [token.slice(4), 'a key'];
    return { kind: 'authenticated', keyId, name, scopes: effectiveScopes(scopes) } as const;
  }
}

function serve(means: PaymentsApiMeans, lines: string[], authenticator: ApiKeys) {
  return createServer({
    api: { title: 'Payments', version: '1.0.0' },
    routes: paymentsRoutes(means),
    errors: [paymentsErrors],
    authenticator,
    log: { level: 'debug', requests: 'all', stream: { write: (line) => lines.push(line) } },
    rateLimit: false,
    processMetrics: false,
    checkResponses: true,
    clock: means.clock,
  });
}

export async function call(
  server: Pick<HttpServer, 'inject'>,
  route: string,
  { body, key = adminKey, headers = {} }: CallOptions,
): Promise<Answer> {
  const [method, url] = route.split(' ');
  const answer = await server.inject({
    method: method as 'GET',
    url: url as string,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  const text = answer.body;
  const isJson = String(answer.headers['content-type']).includes('json');
  const parsed = isJson ? JSON.parse(text) : undefined;
  return { status: answer.statusCode, headers: answer.headers, text, body: parsed };
}

/** Stands for the risk check: every order that is opened is let through. */
async function letThrough({ log, payments, clock }: PaymentsApiMeans, signal: AbortSignal) {
  const opened = log.subscribe({}, { categories: ['checkout'] }, { signal });
  for await (const delivery of opened) {
    if (delivery.kind !== 'events') continue;
    for (const { type, stream } of delivery.events) {
      if (type !== 'checkout-opened' && type !== 'payment-page-completed') continue;
      const id = stream.slice('checkout-'.length);
      const { state } = await payments.checkout(id);
      for (const payment_order_id of state?.checkout.orders.keys() ?? []) {
        await payments.changeCheckout(id, (checkout) =>
          assessRisk(checkout, payment_order_id, {
            ...{ verdict: 'accepted', rules: [], at: clock.now() },
          }),
        );
      }
    }
  }
}
