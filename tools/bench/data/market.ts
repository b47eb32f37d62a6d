import { join } from 'node:path';
import { newId } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import {
  checkoutCategory,
  Payments,
  sqliteWalletsReadModel,
  type WalletsReadModel,
  walletsProjection,
} from '@annals/payments';
import { type Psp, PspRouting } from '@annals/payments/psp';
import {
  paymentsAdvance,
  paymentsExecutor,
  paymentsFolds,
  paymentsRisk,
} from '@annals/payments/reactors';
import { runReactors } from '@annals/payments/runtime';
import { generationDirectory } from '@annals/projection';
import { openEmbedded, type Site } from '@annals/projector';
import { Child } from '../processes/child.ts';
import type { FromPaymentsProjector } from '../processes/payments-projector.ts';
import { instantPsp } from './instant-psp.ts';
import { sellerTerms } from './payment-feed.ts';

const projectorScript = join(import.meta.dirname, '../processes/payments-projector.ts');
const visibleMsMax = 30_000;

const screen = {
  name: 'bench',
  assess: async () => ({ verdict: 'accepted' as const, rules: [] }),
};

export interface MarketLoad {
  readonly clients: number;
  /** 1: all payments go to one seller. */
  readonly sellers: number;
  readonly stretchMs: number;
}

/** The whole way of a payment on the embedded default: service and reactors here, the projector in a process of its own. */
export class Market {
  readonly #site: Site;
  readonly #payments: Payments;
  readonly #wallets: WalletsReadModel;
  readonly #projector: Child<FromPaymentsProjector>;
  readonly #stop: AbortController;
  readonly #ended: Promise<unknown>;
  readonly #captured: Captures;
  readonly #areWorking: () => boolean;
  #registered = 0;

  private constructor(parts: {
    readonly site: Site;
    readonly wallets: WalletsReadModel;
    readonly projector: Child<FromPaymentsProjector>;
    readonly stop: AbortController;
    readonly close: () => void;
    readonly psp: Psp;
  }) {
    const { site, wallets, projector, stop, close, psp } = parts;
    const { cipher, clock } = site;
    const log = site.logOf('payments');
    const means = { log, cipher, clock };
    this.#site = site;
    this.#wallets = wallets;
    this.#projector = projector;
    this.#stop = stop;
    this.#payments = new Payments({ ...means, wallets });
    this.#captured = new Captures(site, stop.signal);
    const breaker = { clock, callsMin: 1_000 };
    const routing = new PspRouting({ psps: [psp], rules: [{ psp: psp.name }], breaker });
    const folds = paymentsFolds(log, cipher);
    const reactors = runReactors({
      ...{ ...means, signal: stop.signal },
      onTrouble: (part, detail) => this.#captured.fail(new Error(`${part}: ${detail}`)),
      reactors: [
        paymentsRisk({ ...means, folds, screen, routing }),
        paymentsAdvance({ ...means, folds, routing }),
        paymentsExecutor({ ...means, folds, psp: (name) => routing.psp(name) }),
      ],
    });
    this.#areWorking = () => reactors.isWorking();
    this.#ended = reactors.done.finally(close);
  }

  /** With this provider; unless told with one in this process that answers at once. */
  static async start(dataFolder: string, psp: Psp = instantPsp()): Promise<Market> {
    const site = await openEmbedded({ dataFolder });
    const stop = new AbortController();
    const projector = new Child<FromPaymentsProjector>(projectorScript, [dataFolder]);
    await projector.next();
    const { signal } = stop;
    const directory = generationDirectory(site.logOf('payments'), { signal, clock: site.clock });
    await directory.ready();
    const { name } = walletsProjection;
    const opened = site.liveFor(walletsProjection, { liveGeneration: () => directory.live(name) });
    if (opened.kind !== 'sqlite') throw new Error('the embedded default keeps wallets in SQLite');
    const { live } = opened;
    while (live.current().kind !== 'ready') await site.clock.sleep(20);
    const wallets = sqliteWalletsReadModel({
      current: () => {
        const now = live.current();
        if (now.kind === 'building') throw new Error('the wallets are being filled');
        return now;
      },
      waitFor: async (checkpoint, timeoutMs) => {
        const waited = await live.waitFor(checkpoint, { timeoutMs });
        return waited === 'timeout' ? 'late' : waited;
      },
    });
    const market = new Market({
      ...{ site, wallets, projector, stop, psp },
      close: () => live.close(),
    });
    // Before there is anything that they could have done: else they ask where to begin.
    while (!market.#areWorking()) await site.clock.sleep(20);
    return market;
  }

  async register(sellers: number): Promise<void> {
    for (; this.#registered < sellers; this.#registered += 1) {
      const done = await this.#payments.putSeller(`shop-${this.#registered}`, sellerTerms);
      if (done.kind !== 'changed') throw new Error(`a seller was not registered: ${done.kind}`);
    }
  }

  /** Payments a second: accepted, captured, and read in the wallet. Each client begins its next one then. */
  async load({ clients, sellers, stretchMs }: MarketLoad): Promise<number> {
    const started = performance.now();
    let done = 0;
    const client = async () => {
      while (performance.now() - started < stretchMs) {
        await this.pay(`shop-${Math.floor(Math.random() * sellers)}`);
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    return (done * 1_000) / (performance.now() - started);
  }

  /** One payment, until it is seen in the wallet of its seller. */
  async pay(seller: string): Promise<void> {
    const checkoutId = `c-${newId()}`;
    const captured = this.#captured.of(checkoutId);
    const opened = await this.#payments.open({
      ...{ checkoutId, currency: 'USD', capture: 'automatic', method: 'pm_card_visa' },
      ...{ buyerInfo: { name: 'Ann' }, returnUrl: 'https://shop.test/back' },
      expiresAt: this.#site.clock.now() + 3_600_000,
      orders: [{ paymentOrderId: 'order-1', sellerAccount: seller, amount: 1_999n }],
    });
    if (opened.kind !== 'changed') throw new Error(`not accepted: ${opened.kind}`);
    const seen = await this.#wallets.waitFor(await captured, visibleMsMax);
    if (seen !== 'reached') throw new Error(`the wallet is ${seen}`);
    const wallet = await this.#wallets.wallets(seller);
    if (wallet.kind !== 'answer' || !wallet.wallets[0]) throw new Error('the wallet is empty');
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#projector.end();
    await this.#site.close();
  }
}

/** Who waits for the capture of a checkout is told where it stands in the log. */
class Captures {
  readonly #waiting = new Map<string, PromiseWithResolvers<Checkpoint>>();
  #failure: Error | undefined;

  constructor(site: Site, signal: AbortSignal) {
    this.#follow(site, signal).catch((error: unknown) => this.fail(error as Error));
  }

  of(checkoutId: string): Promise<Checkpoint> {
    const waiting = Promise.withResolvers<Checkpoint>();
    this.#waiting.set(`${checkoutCategory}-${checkoutId}`, waiting);
    if (this.#failure) waiting.reject(this.#failure);
    return waiting.promise;
  }

  fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  async #follow(site: Site, signal: AbortSignal): Promise<void> {
    const log = site.logOf('payments');
    const types = ['order-captured'];
    for await (const delivery of log.subscribe(await log.head(), { types }, { signal })) {
      if (delivery.kind !== 'events') continue;
      for (const { stream, partition, position } of delivery.events) {
        this.#waiting.get(stream)?.resolve({ [partition]: position });
        this.#waiting.delete(stream);
      }
    }
  }
}
