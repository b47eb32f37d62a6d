import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '@annals/projection/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { killAtRandom, type Market, marketSecrets, openMarket } from './testing/killed-market.ts';
import { contradictions, type OurOrder, readLedger, readWallets } from './testing/market-books.ts';
import { MarketCaller } from './testing/market-caller.ts';
import { PspDesk } from './testing/psp-books.ts';
import {
  payOut,
  payoutsOf,
  type ShoppingPlan,
  sellers,
  sellerTerms,
  shop,
  shopperSecrets,
  shoppingPlan,
} from './testing/shopper.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

// Calm machines are done in three minutes; on busy ones a process takes half a minute to start.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 60_000 });

const loadMs = 60_000;
/** After the last kill: calls that were cut off may be claimed again after half a minute, and looked at after that. */
const settleMsMax = 300_000;
/** What is under way at once; whoever waits for a process that was killed is not in the way of others. */
const shoppersMax = 30;
const betweenMs = { from: 60, to: 320 } as const;
const topUp = 10_000_000n;
const currencies = ['USD', 'JPY'] as const;

/** What goes wrong at the provider beside being killed, as long as there is load. */
const often = { times: 1_000 } as const;
const faults = [
  { operation: 'payment_intents.create', do: 'cut', when: 'after', chance: 0.03, ...often },
  { operation: 'payment_intents.confirm', do: 'cut', when: 'after', chance: 0.03, ...often },
  { operation: 'payment_intents.confirm', do: 'cut', when: 'before', chance: 0.02, ...often },
  { operation: 'payment_intents.*', do: 'error', when: 'after', chance: 0.02, ...often },
  { operation: 'payment_intents.*', do: 'gateway_error', when: 'after', chance: 0.02, ...often },
  { operation: 'refunds.create', do: 'cut', when: 'after', chance: 0.05, ...often },
  { operation: 'refunds.create', do: 'error', when: 'after', chance: 0.03, ...often },
  { operation: 'payouts.create', do: 'cut', when: 'after', chance: 0.2, ...often },
  { operation: '*', do: 'delay', ms: 700, chance: 0.02, ...often },
  { event: '*', do: 'double', chance: 0.1, ...often },
  { event: '*', do: 'reorder', chance: 0.05, ...often },
];

const seed = Number(process.env.KILL_SEED ?? randomInt(1, 1_000_000));

test(`kill -9 of API, executor and provider under load: all that was acknowledged is done, once (seed ${seed})`, async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const market = await openMarket(folder.path);
  onTestFinished(() => market.stop());
  await market.start();
  const desk = new PspDesk(market.pspUrl, marketSecrets.psp);
  let settledBy = Number.POSITIVE_INFINITY;
  const caller = new MarketCaller(market.apiUrl, () => settledBy);
  for (const seller of sellers) {
    expect((await caller.put(`/v1/sellers/${seller}`, sellerTerms))?.status).toBe(200);
  }
  for (const currency of currencies) await desk.topUp(Number(topUp), currency);
  await desk.inject(faults);

  const loadOver = new AbortController();
  const killing = killAtRandom(market, new SeededRandom(seed + 1), Date.now() + loadMs)
    .then(() => desk.clearFaults())
    .finally(() => {
      loadOver.abort();
      settledBy = Date.now() + settleMsMax;
    });
  const [plans] = await Promise.all([
    load(caller, new SeededRandom(seed), loadOver.signal),
    killing,
  ]);

  const orders = await expectPayments(caller, plans);
  await expectBooks(caller, desk, orders);
  await expectSameAnswers(caller);
  await expectStages(market, orders.length);
  await expectSecretsKept(market);
});

/** Shoppers and a cashier, each until all that they have asked for has come to its end. */
async function load(
  caller: MarketCaller,
  random: SeededRandom,
  over: AbortSignal,
): Promise<readonly ShoppingPlan[]> {
  const plans: ShoppingPlan[] = [];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const run = (work: Promise<void>) => {
    const ended = work
      .catch((error: unknown) => failures.push(error))
      .then(() => void running.delete(ended));
    running.add(ended);
  };
  for (let turn = 1; !over.aborted; turn += 1) {
    if (running.size < shoppersMax) {
      const plan = shoppingPlan(random, turn);
      plans.push(plan);
      run(shop(caller, plan));
    }
    if (turn % 20 === 0) run(payOut(caller, random.pick(sellers), random.pick(currencies), turn));
    await pause(random.int(betweenMs.from, betweenMs.to));
  }
  await Promise.all(running);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
  return plans;
}

/** Every payment that was acknowledged is there, with all of its orders at their end. */
async function expectPayments(
  caller: MarketCaller,
  plans: readonly ShoppingPlan[],
): Promise<readonly OurOrder[]> {
  const orders: OurOrder[] = [];
  for (const plan of plans) {
    const { checkout_id, status, payment_orders } = await caller.read(
      `/v1/payments/${plan.checkout}`,
    );
    expect(['succeeded', 'partially_succeeded', 'failed']).toContain(status);
    expect(payment_orders).toHaveLength(plan.orders.length);
    orders.push(...payment_orders.map((order: object) => ({ ...order, checkout_id })));
  }
  const refunds = plans.flatMap(({ checkout, orders: of }) =>
    of.flatMap(({ id, refunds: asked }) =>
      asked.flatMap((_, index) => {
        const answer = caller.answers.get(`${checkout}.${id}.refund-${index + 1}`);
        return answer ? [`${checkout} ${id} ${answer.told.json.refund_id}`] : [];
      }),
    ),
  );
  const booked = orders.flatMap((order) =>
    order.refunds.map((one) => `${order.checkout_id} ${order.payment_order_id} ${one.refund_id}`),
  );
  expect(booked.toSorted()).toEqual(refunds.toSorted());
  // A load that came to nothing would prove nothing.
  const states = new Set(orders.map(({ state }) => state));
  expect([...states].toSorted()).toEqual(['canceled', 'failed', 'succeeded']);
  expect(booked.length).toBeGreaterThan(5);
  return orders;
}

/** The provider's own books say the same as ours, and ours add up. */
async function expectBooks(
  caller: MarketCaller,
  desk: PspDesk,
  orders: readonly OurOrder[],
): Promise<void> {
  const psp = await desk.books();
  const payouts = (await Promise.all(sellers.map((one) => payoutsOf(caller, one)))).flat();
  expect(contradictions(orders, payouts, psp)).toEqual([]);

  // What is written last has a position behind all the rest.
  const last = await caller.put('/v1/sellers/shop-last', sellerTerms);
  const position = last?.json.position ?? '';
  const ledger = await readLedger(caller, position);
  expect([...ledger.trial.values()].filter((sum) => sum !== 0n)).toEqual([]);
  expect([...ledger.pending].filter(([, sum]) => sum !== 0n)).toEqual([]);
  for (const currency of currencies) {
    const held = (account: string) => ledger.posted.get(`${account} ${currency}`) ?? 0n;
    expect([currency, held('refunds'), held('payouts_in_transit'), held('suspense')]).toEqual([
      ...[currency, 0n, 0n, 0n],
    ]);
    // What the provider holds is what our books say it does; payouts were taken from it, too.
    expect([currency, psp.balances.get(currency)]).toEqual([
      ...[currency, topUp - held('psp_clearing') - held('bank')],
    ]);
  }
  for (const seller of sellers) {
    const wallets = await readWallets(caller, seller, position);
    const accounts = [...ledger.posted].filter(([name]) => name.includes(`:${seller} `));
    expect(Object.fromEntries(accounts.filter(([, sum]) => sum !== 0n))).toEqual(
      Object.fromEntries([...wallets].filter(([, sum]) => sum !== 0n)),
    );
  }
}

/** Every key that was ever answered is answered so again, byte for byte; with another request it is refused. */
async function expectSameAnswers(caller: MarketCaller): Promise<void> {
  expect(caller.differing).toEqual([]);
  const answers = [...caller.answers.values()];
  const askAgain = async ({ told, ...request }: (typeof answers)[number]) => {
    const again = await caller.send(request);
    expect([request.key, again?.status, again?.text]).toEqual([
      ...[request.key, told.status, told.text],
    ]);
    expect([request.key, again?.replayed]).toEqual([request.key, true]);
  };
  for (let n = 0; n < answers.length; n += 10) {
    await Promise.all(answers.slice(n, n + 10).map(askAgain));
  }
  const opened = answers.find(({ path }) => path === '/v1/payments');
  expect(opened?.told.status).toBeLessThan(300);
  const body = { ...opened?.body, return_url: 'http://127.0.0.1:9/elsewhere' };
  const other = await caller.send({ path: '/v1/payments', key: opened?.key ?? '', body });
  expect(other).toMatchObject({ status: 422, json: { code: 'idempotency-key-reused' } });
}

/** Every order that was accepted is done, and no call waits for a person. */
async function expectStages({ apiUrl }: Market, accepted: number): Promise<void> {
  const metrics = await metricsOf(apiUrl);
  const figures = (name: string) =>
    [...metrics.matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\d+)$`, 'gm'))].map(
      ([, labels = '', value]) => [labels, Number(value)] as const,
    );
  expect(figures('annals_payment_orders_accepted')).toEqual([['', accepted]]);
  const stages = figures('annals_payment_orders');
  const notDone = stages.filter(([labels, n]) => n > 0 && !labels.includes('stage="done"'));
  expect(notDone).toEqual([]);
  expect(stages.reduce((sum, [, orders]) => sum + orders, 0)).toBe(accepted);
  expect(figures('annals_payment_calls_dead')).toEqual([['', 0]]);
}

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** No card, no buyer and no key is in what was printed, in metrics, or in clear in any file of log and read models. */
async function expectSecretsKept(market: Market): Promise<void> {
  const secrets = [...Object.values(marketSecrets), ...Object.values(shopperSecrets), 'pm_card_'];
  const places: [string, string][] = market.processes.map((one) => [one.name, one.said()]);
  for (const url of [market.apiUrl, market.executorUrl]) places.push([url, await metricsOf(url)]);
  await market.stop();
  for (const file of readdirSync(market.dataFolder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    places.push([path, readFileSync(path, 'latin1')]);
  }
  const told = places.flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${place}: ${secret}`),
  );
  expect(told).toEqual([]);
  // What is not secret is found where it is looked for.
  expect(places.some(([, text]) => text.includes('checkout-c-1'))).toBe(true);
}
