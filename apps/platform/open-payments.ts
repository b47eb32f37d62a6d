import type { Clock } from '@annals/core';
import type { Closing, ReadinessCheck, Route } from '@annals/http';
import { Payments } from '@annals/payments';
import { Finance } from '@annals/payments/finance';
import { IdempotencyStore } from '@annals/payments/idempotency';
import type { PspRouting, Routable } from '@annals/payments/psp';
import { paymentsObserver } from '@annals/payments/reactors';
import { waitingBreaks } from '@annals/payments/reconciliation';
import {
  cardLookupDefault,
  DenyLists,
  type DenyListsMeans,
  identifyCard,
} from '@annals/payments/risk';
import {
  AcceptedOrders,
  beginReactors,
  type OrdersByStage,
  ordersByStage,
  reactorsOfPayments,
} from '@annals/payments/runtime';
import { Webhooks } from '@annals/payments/webhooks-out';
import { paymentsRoutes } from '@annals/payments-api';
import { type GenerationDirectory, type ProjectionState, waitingText } from '@annals/projection';
import {
  type PaymentsReads,
  type PaymentsSettings,
  paymentsReads,
  pspRouting,
  type Site,
} from '@annals/projector';
import { answerMsMax } from './leaderboard-reads.ts';

export interface OpenPayments {
  readonly routes: readonly Route[];
  readonly readiness: ReadinessCheck;
  readonly reads: PaymentsReads;
  /** Where every order is that was accepted; undefined where a read model is lost or not filled yet. */
  stages(): Promise<OrdersByStage | undefined>;
  /** Breaks of reconciliation that wait for somebody, by queue; undefined as above. */
  waitingBreaks(): ReturnType<typeof waitingBreaks>;
  /** Resolves when the first read models are filled or lost, and at the latest after `msMax`. */
  readable(msMax: number): Promise<void>;
  /** What to close, in this order. */
  readonly closing: readonly Closing[];
}

export interface OpenPaymentsOptions {
  /** With their places known; without them webhooks of providers are not taken, and nobody is paid out. */
  readonly settings: PaymentsSettings | undefined;
  /** Names this process: of two that work on one request one waits for the other. */
  readonly holder: string;
  readonly visibleMsMax?: number;
  /** Told of what a provider says that doesn't fit with what is booked. */
  readonly onTrouble: (detail: string) => void;
}

const pollMs = 10;

/** How long a position that another process was given may take to come to the replica of this one. */
const replicaMsMaxDefault = 5_000;

/** Opens payments on a site: their service, their routes, and what they need to be ready. */
export async function openPayments(
  site: Site,
  generations: GenerationDirectory,
  { settings, holder, visibleMsMax, onTrouble }: OpenPaymentsOptions,
): Promise<OpenPayments> {
  const { cipher, clock, logs } = site;
  const log = site.logOf('payments');
  const means = { log, cipher, clock };
  await beginReactors(means, reactorsOfPayments);
  const reads = await paymentsReads(site, generations, { answerMsMax });
  const { ledger, wallets } = reads;
  const finance = new Finance(means);
  const releases = settings && { above: settings.releaseAbove, finance };
  const routing = settings && pspRouting(settings, clock);
  const isReplica = logs.some((one) => one.log === log && one.place.kind !== 'sqlite');
  const observer =
    routing &&
    paymentsObserver({
      ...{ ...means, psp: (name) => routing.psp(name) },
      onContradiction: ({ kind, value }, why) => onTrouble(`${kind} ${value.id}: ${why}`),
    });
  const psps = (settings?.psps ?? []).flatMap(({ name }) => routing?.psp(name) ?? []);
  const routes = paymentsRoutes({
    reconciliation: {
      files: { ...means, movements: reads.movements },
      queues: reads.queues,
      psps: psps.map(({ name }) => name),
    },
    ...{ ...means, ledger, wallets, paymentsRead: reads.payments },
    payments: new Payments({
      ...{ ...means, wallets },
      ...(releases ? { releases } : {}),
      ...(routing ? { steps: routing } : {}),
    }),
    finance,
    denyLists: new DenyLists({
      ...means,
      ...(routing ? { cardOf: cardsOf(routing, clock, settings?.risk.card) } : {}),
    }),
    webhooks: new Webhooks({
      ...{ ...means, deliveries: reads.deliveries, allowPrivate: settings?.allowPrivate ?? false },
    }),
    idempotency: new IdempotencyStore({ ...means, holder }),
    payoutPsp: (currency, seller) => routing?.preferredForPayout(currency, seller) ?? 'none',
    ...(routing ? { pagePsp: (payment) => pspOfPage(routing, payment) } : {}),
    replicaMsMax: isReplica ? replicaMsMaxDefault : 0,
    ...(observer ? { pspWebhooks: { psps, observer, clock } } : {}),
    ...(visibleMsMax === undefined ? {} : { visibleMsMax }),
  });
  const accepted = new AcceptedOrders(log);
  return {
    ...{ routes, reads },
    readiness: readinessOf(reads, () =>
      reads.projections.map(({ name }) => generations.state(name)),
    ),
    stages: async () =>
      reads.state() === 'ready'
        ? ordersByStage({ log, cipher, read: reads.payments, accepted })
        : undefined,
    waitingBreaks: async () =>
      reads.state() === 'ready' ? waitingBreaks(reads.queues) : undefined,
    readable: async (msMax) => {
      for (let ms = 0; ms < msMax && reads.state() === 'building'; ms += pollMs) {
        await clock.sleep(pollMs);
      }
    },
    closing: [{ name: 'read models of payments', close: () => reads.close() }],
  };
}

/** One that answers now, or else the first that would: its executor asks it again and again. */
function pspOfPage(routing: PspRouting, payment: Routable): string | undefined {
  const choice = routing.choose(payment);
  return choice.kind === 'chosen' ? choice.psp.name : routing.preferred(payment);
}

/** Which card a checkout was paid with, by the provider that takes it; undefined where it does not say. */
function cardsOf(
  routing: PspRouting,
  clock: Clock,
  { answerMsMax } = cardLookupDefault,
): NonNullable<DenyListsMeans['cardOf']> {
  return async (opened, token) => {
    const identified = await identifyCard({ routing, clock, answerMsMax }, opened, token);
    return identified.kind === 'card' ? identified.fingerprint : undefined;
  };
}

/** A lost read model leaves the writes, so it must not take the process out of its balancer (decision 009). */
function readinessOf(
  reads: PaymentsReads,
  states: () => readonly ProjectionState[],
): ReadinessCheck {
  return {
    name: 'payments',
    check: () => {
      switch (reads.state()) {
        case 'ready':
          return { kind: 'ready' };
        case 'building':
          return { kind: 'not-ready', detail: `the read models are ${waitingText(states())}` };
        case 'lost':
          return { kind: 'degraded', detail: 'a read model of payments is lost: annals status' };
      }
    },
  };
}
