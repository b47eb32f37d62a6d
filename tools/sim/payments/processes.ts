import type { Clock, SubjectCipher } from '@annals/core';
import type { MemoryEventLog } from '@annals/event-log';
import { Payments } from '@annals/payments';
import { IdempotencyStore } from '@annals/payments/idempotency';
import { type Psp, PspRouting, type WebhookDelivery } from '@annals/payments/psp';
import {
  followHint,
  HintFilter,
  type ObserverMeans,
  paymentsAdvance,
  paymentsExecutor,
  paymentsObserver,
  paymentsRisk,
} from '@annals/payments/reactors';
import { reconcileNight } from '@annals/payments/reconciliation';
import type { RiskScreen } from '@annals/payments/risk';
import { runSchedule, stepsOf } from '@annals/payments/runtime';
import { WebhookSender, Webhooks, webhookQueue } from '@annals/payments/webhooks-out';
import {
  type GenerationDirectory,
  generationDirectory,
  type Projector,
  type Reactor,
  runProjector,
  runReactor,
} from '@annals/projection';
import { openLog } from '../weather.ts';
import { reserveDays } from './almanac.ts';
import { verdictOf } from './front-desk.ts';
import { HttpDoor } from './http-door.ts';
import type { Provider } from './provider.ts';
import type { Shop } from './shop.ts';
import { twinDeliveries } from './twin-deliveries.ts';
import { twinLedger } from './twin-ledger.ts';
import { twinPayments } from './twin-payments.ts';
import { type TwinReads, twinReads } from './twin-reads.ts';
import { twinBooksComparison, twinMovements } from './twin-reconciliation.ts';
import { twinWallets } from './twin-wallets.ts';
import { openCipher, openStore, type ProjectionName, type World } from './world.ts';

/** Whom processes talk to. */
export interface Outside {
  readonly providers: readonly Provider[];
  readonly shop: Shop;
}

/** A process that can be killed: it leaves nothing but what is on the disks and on its way to a provider. */
export interface Process {
  readonly name: string;
  kill(): void;
}

/** A line of a process's log: it stands in the trace, and holds no secret. */
function say({ trace, witness }: World, line: string): void {
  trace.say(line);
  witness.logged(line);
}

/** Whether the weather takes an answer away. */
function isStruck({ random, weather: { answer } }: World): boolean {
  return answer > 0 && random.chance(answer);
}

/** Looks at an order's amount: every process says the same. */
const byHand: RiskScreen = {
  name: 'by-hand',
  assess: async ({ amount }) => ({ verdict: verdictOf(amount.amount), rules: ['by-hand'] }),
};

/** How providers are reached from one process. */
function routingOf(
  world: World,
  providers: readonly Provider[],
  isGone: () => boolean,
): PspRouting {
  const psps: Psp[] = providers.map((provider) => provider.adapter(isGone));
  return new PspRouting({
    psps,
    rules: psps.map(({ name }) => ({ psp: name })),
    breaker: { clock: world.clock },
  });
}

/** Takes requests and webhooks. */
export interface ApiProcess extends Process {
  readonly log: MemoryEventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly payments: Payments;
  readonly idempotency: IdempotencyStore;
  readonly observer: ObserverMeans;
  /** Where requests come in over HTTP, in seeds that have it. */
  readonly door: HttpDoor | undefined;
  readonly webhooks: Webhooks;
  /** Follows a webhook to its end; true where the provider need not send it again. */
  webhook(psp: string, delivery: WebhookDelivery): Promise<boolean>;
}

export function startApi(world: World, name: string, { providers, shop }: Outside): ApiProcess {
  const { clock, parts, witness } = world;
  const log = openLog(world);
  const cipher = openCipher(world);
  const stop = new AbortController();
  const reads = readsOf(world, log, stop.signal);
  const wallets = twinWallets(reads('wallets'), witness);
  const routing = routingOf(world, providers, () => stop.signal.aborted);
  const psp = (provider: string) => routing.psp(provider);
  const onContradiction: Parameters<typeof paymentsObserver>[0]['onContradiction'] = (
    { kind, value },
    why,
  ) => say(world, `${name} contradiction: ${kind} ${value.id}: ${why}`);
  const observer = paymentsObserver({ log, cipher, clock, psp, onContradiction });
  const filter = new HintFilter();
  const payments = new Payments({
    ...{ log, cipher, clock, wallets, walletMsMax: 1_000, steps: routing },
  });
  const idempotency = new IdempotencyStore({ log, cipher, clock, holder: name, holdMs: 10_000 });
  const paymentsRead = twinPayments(reads('payments'));
  const means = { log, cipher, clock, payments, paymentsRead, wallets, idempotency };
  const logged = (line: string) => witness.logged(`${name} logs ${line}`);
  const isCut = () => stop.signal.aborted || isStruck(world);
  const psps = providers.flatMap(({ name: provider }) => psp(provider) ?? []);
  const use = { means: { ...means, payoutPsp: () => 'one' }, psps, observer, logged, isCut };
  const webhooks = new Webhooks({
    ...{ log, cipher, clock, deliveries: twinDeliveries(reads('webhooks')) },
    ...{ allowPrivate: true, secret: shop.secret },
  });
  const door = parts.http ? HttpDoor.lend(use) : undefined;
  return {
    ...{ name, log, cipher, clock, observer, payments, idempotency, door, webhooks },
    webhook: async (provider, delivery) => {
      const parsed = psp(provider)?.parseWebhook(delivery);
      if (parsed?.kind !== 'hint') return parsed?.kind === 'ignored';
      const { hint } = parsed;
      if (!filter.isNew(hint)) return true;
      const came = await followHint(observer, hint);
      say(world, `${name} webhook ${hint.type} ${hint.object.id}: ${came}`);
      if (came === 'later') return false;
      filter.remember(hint);
      return true;
    },
    kill: () => {
      log.crash();
      stop.abort();
    },
  };
}

/** Talks to providers: the reactors, started again by a supervisor when the log breaks off. */
export interface WorkerProcess extends Process {
  /** What must never come out of a reactor, in words. */
  readonly alarms: readonly string[];
}

const restartMs = 1_000;

/** Shorter than they are, so that deliveries are given up within a seed. */
const senderLimits = {
  pollMs: 10_000,
  retryAfterMsMax: 10 * 60_000,
  giveUpAfterMs: 45 * 60_000,
} as const;

/** Between two looks at what is due: longer than it is, so that days go by. */
const lookMs = 20_000;

function unhurried(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(Math.max(ms, lookMs), signal),
  };
}

/** Read models over the twins, as one process has them. */
function readsOf(
  world: World,
  log: MemoryEventLog,
  signal: AbortSignal,
): (projection: ProjectionName) => TwinReads {
  const { clock } = world;
  const directory = generationDirectory(log, { signal, clock });
  return (projection) => twinReads(openStore(world, projection), directory, projection, clock);
}

export function startWorker(
  world: World,
  name: string,
  { providers, shop }: Outside,
): WorkerProcess {
  const { clock, random, parts, witness } = world;
  const stop = new AbortController();
  const { signal } = stop;
  const log = openLog(world);
  const cipher = openCipher(world);
  const routing = routingOf(world, providers, () => signal.aborted);
  const psp = (provider: string) => routing.psp(provider);
  const alarms: string[] = [];
  const means = { log, cipher, clock };
  const reactors: { readonly [reactor: string]: () => Reactor } = {
    executor: () => paymentsExecutor({ ...means, psp, limits: { patienceMs: 6 * 3_600_000 } }),
    advance: () => paymentsAdvance({ ...means, routing }),
    ...(parts.merchants ? { webhooks: () => webhookQueue(means) } : {}),
    ...(parts.http || parts.pages
      ? { risk: () => paymentsRisk({ ...means, screen: byHand }) }
      : {}),
  };
  const supervise = async (reactor: string, make: () => Reactor) => {
    for (let run = 1; !signal.aborted; run += 1) {
      const runId = `${name}-${reactor}-${run}`;
      const drawn = () => random.int(0, 999) / 1_000;
      const onTrouble = ({ reason }: { readonly reason: string }) =>
        witness.logged(`${runId}: ${reason}`);
      const options = { ...means, signal, runId, from: {}, random: drawn, onTrouble };
      try {
        const { kind } = await runReactor({ ...options, reactor: make() });
        if (!signal.aborted) say(world, `${runId} ${kind}`);
        if (kind === 'refused') alarms.push(`${runId} refused to start`);
        if (kind !== 'stopped') return;
      } catch (error) {
        if (!signal.aborted) say(world, `${runId} broke: ${String(error)}`);
      }
      await clock.sleep(restartMs, signal);
    }
  };
  for (const [reactor, make] of Object.entries(reactors)) void supervise(reactor, make);
  const reads = readsOf(world, log, signal);
  const onTrouble = (part: string, detail: string) => witness.logged(`${name} ${part}: ${detail}`);
  if (parts.merchants) {
    const sender = new WebhookSender({
      ...{ ...means, deliveries: twinDeliveries(reads('webhooks')) },
      ...{ post: shop.post, random: () => random.int(0, 999) / 1_000, limits: senderLimits },
      onTrouble: ({ lane, reason }) => onTrouble(lane, reason),
    });
    void sender.run(signal);
  }
  if (parts.schedule) startSchedule(world, { log, cipher, routing, providers, signal, onTrouble });
  return {
    ...{ name, alarms },
    kill: () => {
      log.crash();
      stop.abort();
    },
  };
}

/** What falls due, and the nights, of one worker. */
function startSchedule(
  world: World,
  {
    log,
    cipher,
    routing,
    providers,
    signal,
    onTrouble,
  }: Pick<Outside, 'providers'> & {
    readonly log: MemoryEventLog;
    readonly cipher: SubjectCipher;
    readonly routing: PspRouting;
    readonly signal: AbortSignal;
    readonly onTrouble: (part: string, detail: string) => void;
  },
): void {
  const { clock, witness } = world;
  const reads = readsOf(world, log, signal);
  const [ledger, wallets] = [reads('ledger'), reads('wallets')];
  const means = { log, cipher, clock };
  const night = {
    ...{ ...means, movements: twinMovements(reads('reconciliation')) },
    books: twinBooksComparison(ledger, wallets),
    psps: providers.flatMap(({ name }) => routing.psp(name) ?? []),
  };
  const steps = stepsOf({
    ...{ ...means, routing, reserveDays, onTrouble },
    reconcileNight: async (day, ofStep) => {
      const { kind } = await reconcileNight(night, day, ofStep);
      return kind === 'refused' ? 'later' : kind;
    },
    ledger: twinLedger(ledger),
    wallets: twinWallets(wallets, witness),
    read: twinPayments(reads('payments')),
  });
  void runSchedule({ steps, clock: unhurried(clock), signal, mayWork: () => true, onTrouble });
}

export interface ProjectorProcess extends Process {
  readonly projector: Projector;
  readonly directory: GenerationDirectory;
}

export function startProjector(world: World, name: string): ProjectorProcess {
  const { projectorClock: clock, projections } = world;
  const log = openLog(world);
  const stop = new AbortController();
  const { signal } = stop;
  const directory = generationDirectory(log, { signal, clock });
  const stores = new Map(
    projections.map((one) => [one.name, openStore(world, one.name as ProjectionName)]),
  );
  const projector = runProjector({
    ...{ log, directory, clock, signal, holder: name },
    cipher: openCipher(world),
    projections,
    storeFor: ({ name: projection }) => {
      const store = stores.get(projection);
      if (!store) throw new TypeError(`there is no store for ${projection}`);
      return store;
    },
    // Shares of streams are ahead of each other: their rows together are those of no one checkpoint.
    workersOfFirst: ({ split }) =>
      split === 'partition' ? world.random.int(1, world.storage.partitions) : 1,
    observe: ({ kind, status }) => {
      if (kind !== 'state') say(world, `${name} ${kind} g${status.generation}/${status.worker}`);
    },
  });
  // Killed in the middle of its start it rejects: that is what being killed looks like.
  projector.done.catch(() => undefined);
  return {
    ...{ name, projector, directory },
    kill: () => {
      log.crash();
      for (const store of stores.values()) void store.close();
      stop.abort();
    },
  };
}
