import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { Reactor } from '@annals/projection';
import {
  Finance,
  financeCategory,
  type PayoutLimits,
  payoutReleases,
  payoutReleasesName,
} from '../finance/index.ts';
import { IdempotencyStore } from '../idempotency/index.ts';
import type { PspRouting } from '../psp/routing.ts';
import { paymentsAdvance, paymentsAdvanceName } from '../reactors/payments-advance.ts';
import {
  executorCategories,
  paymentsExecutor,
  paymentsExecutorName,
} from '../reactors/payments-executor.ts';
import { paymentsObserver } from '../reactors/payments-observer.ts';
import { paymentsRisk, paymentsRiskName } from '../reactors/payments-risk.ts';
import { paymentsFolds } from '../reactors/stream-folds.ts';
import type { LedgerReadModel } from '../read-model/ledger.ts';
import type { PaymentsReadModel } from '../read-model/payments.ts';
import type { WalletsReadModel } from '../read-model/wallets.ts';
import type { CardLookup } from '../risk/card-lookup.ts';
import type { RiskScreen } from '../risk/port.ts';
import { Payments } from '../service.ts';
import { checkoutCategory, sellerCategory } from '../streams.ts';
import {
  type DeliveryLog,
  type WebhookPost,
  WebhookSender,
  webhookQueue,
  webhookQueueName,
} from '../webhooks-out/index.ts';
import { DayMarks } from './day-marks.ts';
import { dueOrdersStep } from './due-orders.ts';
import { housekeepingSteps } from './housekeeping.ts';
import { type NightlyMeans, nightlyStep } from './nightly.ts';
import { payoutsStep } from './payouts.ts';
import { providerEventsStep } from './provider-events.ts';
import { PruneMarks } from './prune-marks.ts';
import { reserveStep } from './reserve.ts';
import { type ReactorStatus, type RunningReactors, runReactors } from './run-reactors.ts';
import { runSchedule, type ScheduledStep } from './schedule.ts';
import { sweepSteps } from './sweep.ts';
import { whileWorking } from './while-working.ts';

export interface RunPaymentsOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly routing: PspRouting;
  readonly screen: RiskScreen;
  /** How providers are asked which card a token stands for, where the screen looks at cards. */
  readonly cards?: CardLookup;
  readonly ledger: Pick<LedgerReadModel, 'accounts' | 'entries'>;
  readonly wallets: WalletsReadModel;
  readonly read: PaymentsReadModel;
  /** How long a seller's reserve is held back, in days. */
  readonly reserveDays: number;
  readonly reconcileNight?: NightlyMeans['reconcileNight'];
  /** Above which amount a payout needs a second person, by currency; none does unless told. */
  readonly releaseAbove?: PayoutLimits;
  /** What merchants were told, and how they are; without it nobody is told anything. */
  readonly webhooks?: { readonly deliveries: DeliveryLog; readonly post: WebhookPost };
  /** Whether this process should do the work now; always unless told. */
  readonly mayWork?: () => boolean;
  /** Spreads the waits between attempts. */
  readonly random?: () => number;
  /** Told what failed and is tried again, and what a person should look at. */
  readonly onTrouble: (part: string, detail: string) => void;
}

export interface RunningPayments {
  status(): readonly ReactorStatus[];
  /** Settles when all has come to rest after the signal was aborted. */
  readonly done: Promise<void>;
}

/**
 * All that payments do by themselves: the reactors that assess, go on and call providers, and the schedule of what
 * falls due. Nothing of it is a part of a rebuild.
 */
export function runPayments(options: RunPaymentsOptions): RunningPayments {
  const { log, cipher, clock, signal, routing, screen, cards } = options;
  const { onTrouble, mayWork, random } = options;
  const psp = routing.psp.bind(routing);
  const means = { log, cipher, clock };
  const folds = paymentsFolds(log, cipher);
  const { finance, payments } = servicesOf(options);
  const running = runReactors({
    ...{ ...means, signal, onTrouble },
    reactors: [
      paymentsRisk({ ...means, folds, screen, routing, ...(cards ? { cards } : {}) }),
      paymentsAdvance({ ...means, folds, routing }),
      paymentsExecutor({ ...means, folds, psp }),
      payoutReleases({ cipher, payments, finance }),
      ...(options.webhooks ? [webhookQueue(means)] : []),
    ],
    ...(mayWork ? { mayWork } : {}),
    ...(random ? { random } : {}),
  });
  const schedule = runSchedule({
    ...{ steps: stepsOf(options), clock, signal, onTrouble },
    // Who does the reactors' work does the schedule's, too.
    mayWork: () => running.isWorking(),
  });
  return {
    status: () => running.status(),
    done: Promise.all([running.done, schedule, tellMerchants(options, running)]).then(
      () => undefined,
    ),
  };
}

/** Tells merchants what is queued for them, while this process does the work. */
async function tellMerchants(
  { log, cipher, clock, signal, webhooks, onTrouble, random = Math.random }: RunPaymentsOptions,
  running: RunningReactors,
): Promise<void> {
  if (!webhooks) return;
  const tell = ({ lane, reason }: { readonly lane: string; readonly reason: string }) =>
    onTrouble('webhooks', `${lane}: ${reason}`);
  const sender = new WebhookSender({ log, cipher, clock, random, ...webhooks, onTrouble: tell });
  await whileWorking({ clock, signal, isWorking: () => running.isWorking() }, (working) =>
    sender.run(working).catch((error: unknown) => onTrouble('webhooks', String(error))),
  );
}

function servicesOf({
  log,
  cipher,
  clock,
  wallets,
  releaseAbove,
  routing: steps,
}: Pick<RunPaymentsOptions, 'log' | 'cipher' | 'clock' | 'wallets' | 'releaseAbove' | 'routing'>) {
  const finance = new Finance({ log, cipher, clock });
  const releases = releaseAbove && { above: releaseAbove, finance };
  const payments = new Payments({
    ...{ log, cipher, clock, wallets, steps },
    ...(releases ? { releases } : {}),
  });
  return { finance, payments };
}

/** The reactors by name, for whoever says where they begin. */
export const reactorsOfPayments: readonly Pick<Reactor, 'name' | 'categories'>[] = [
  { name: paymentsRiskName, categories: [checkoutCategory] },
  // Erasures alone are nothing that it could have worked on: it begins with the first checkout.
  { name: paymentsAdvanceName, categories: [checkoutCategory] },
  { name: paymentsExecutorName, categories: executorCategories },
  { name: payoutReleasesName, categories: [financeCategory] },
  { name: webhookQueueName, categories: [checkoutCategory, sellerCategory] },
];

/** Everything that falls due without anybody asking for it. */
export function stepsOf(
  options: Omit<RunPaymentsOptions, 'signal' | 'screen' | 'cards' | 'mayWork' | 'random'>,
): readonly ScheduledStep[] {
  const { log, cipher, clock, routing, ledger, read, reserveDays } = options;
  const { reconcileNight, onTrouble } = options;
  const { payments, finance } = servicesOf(options);
  const keys = new IdempotencyStore({ log, cipher, clock, holder: 'schedule' });
  const observer = paymentsObserver({
    ...{ log, cipher, clock, psp: routing.psp.bind(routing) },
    onContradiction: ({ kind, value }, why) => onTrouble('sweep', `${kind} ${value.id}: ${why}`),
  });
  const marksOf = (work: string) => new DayMarks({ log, cipher }, work);
  return [
    dueOrdersStep({ payments, read, clock }),
    payoutsStep({ payments, read, routing, clock, marks: marksOf('payouts') }),
    reserveStep({ payments, ledger, clock, reserveDays, marks: marksOf('reserve') }),
    ...sweepSteps({ observer, read, clock }),
    providerEventsStep({ log, cipher, clock, routing, observer }),
    ...housekeepingSteps({ finance, keys, clock, pruned: new PruneMarks({ log, cipher }) }),
    ...(reconcileNight
      ? [nightlyStep({ clock, reconcileNight, marks: marksOf('reconcile') })]
      : []),
  ];
}
