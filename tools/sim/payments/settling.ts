import { sha256 } from '@annals/core';
import { followHint, listDeadCalls } from '@annals/payments/reactors';
import { type GenerationDirectory, memoryProjectionStore, rebuild } from '@annals/projection';
import { InvariantError } from '../trace.ts';
import { openLog } from '../weather.ts';
import type { Almanac } from './almanac.ts';
import type { Clients } from './clients.ts';
import type { Erasing } from './erasing.ts';
import { checkEveryPosition } from './every-position.ts';
import { checkReadModels, haveCaughtUp, liveSnapshot, textOf } from './invariants.ts';
import type { NaiveOrder } from './naive-market.ts';
import { checkNights } from './night-check.ts';
import type { PageBuyers } from './page-buyers.ts';
import type { ApiProcess } from './processes.ts';
import { type Provider, ProviderBooks } from './provider.ts';
import { Reconciling } from './reconciling.ts';
import type { Shop } from './shop.ts';
import type { Steps } from './steps.ts';
import { openCipher, type ProjectionName, type World } from './world.ts';

/** After the last fault everything must come to rest within this much virtual time. */
const settleMsMax = 30 * 3_600_000;
const roundMs = 60_000;
/** So many rounds are waited for the rest of a day to be over. */
const roundsOfDay = 12;

export interface SettlingMeans {
  readonly world: World;
  readonly api: ApiProcess;
  /** That of a projector that runs. */
  readonly directory: () => GenerationDirectory;
  readonly clients: Clients;
  readonly providers: readonly Provider[];
  readonly steps: Steps;
  readonly erasing: Erasing;
  readonly pageBuyers: PageBuyers;
  readonly shop: Shop;
  readonly almanac: Almanac;
  /** Lets the day end. */
  readonly night: () => Promise<void>;
  readonly notice: () => void;
  /** Ends everybody who works by themselves: days go by at once then. */
  readonly stop: () => void;
}

/** Whether something was paid back: then the bank may take more than is left. */
function hasGivenBack({ refunds, disputes }: NaiveOrder): boolean {
  const isPaidBack = [...refunds.values()].some(({ state }) => state === 'succeeded');
  return isPaidBack || [...disputes.values()].some(({ state }) => state === 'lost');
}

const ended: ReadonlySet<string> = new Set(['succeeded', 'failed', 'canceled', 'expired']);

/** Fair weather: callers ask until they are answered, people and timers do what waits for them, and all comes to rest. */
export class Settling {
  readonly #means: SettlingMeans;

  constructor(means: SettlingMeans) {
    this.#means = means;
  }

  async settle(): Promise<void> {
    const { world, notice, night, pageBuyers } = this.#means;
    // Where there is a schedule, a day begins with everything at rest.
    let nights = world.parts.schedule ? 1 : 0;
    for (let waited = 0, ms = roundMs, round = 1; waited < settleMsMax; waited += ms, round += 1) {
      await this.#round();
      await world.clock.advance(ms);
      notice();
      pageBuyers.checkKnown();
      const isSettled = await this.#isSettled();
      if (isSettled && nights === 0) return;
      // What is released after days waits for them.
      if (isSettled || (nights > 0 && round % roundsOfDay === 0)) await night();
      if (isSettled) nights -= 1;
      // What waits for a search, or for a key to run out, waits for hours.
      ms = Math.min(ms * 2, 10 * roundMs);
    }
    throw new InvariantError('settles', `after ${settleMsMax} ms: ${await this.#unsettled()}`);
  }

  async #round(): Promise<void> {
    const { api, clients, steps, world, pageBuyers } = this.#means;
    for (const keyed of clients.pending.values()) clients.send(api, keyed);
    const { market } = world.witness;
    for (let count = market.actions.size; count > 0; count -= 1) steps.answerAction(true);
    pageBuyers.actAll();
    const isByHand = !world.parts.schedule;
    const states = [...market.orders.values()].map(({ state }) => state);
    for (const state of states) {
      if (state === 'risk_review') steps.review(api, true);
      if (state === 'authorized') steps.capture(api);
      if (state === 'captured' && isByHand) steps.deliver(api);
    }
    if (isByHand && states.some((state) => !ended.has(state))) steps.expire(api);
    if (isByHand) await steps.sweep(api);
    if (isByHand && world.parts.pages) await steps.askForEvents(api);
    await steps.retryDead(api);
  }

  async #isSettled(): Promise<boolean> {
    const { world, clients, directory, providers } = this.#means;
    if (clients.pending.size > 0 || clients.underWay > 0) return false;
    if (!providers.every((provider) => provider.isQuiet)) return false;
    if ((await this.#unsettled()) !== '') return false;
    return haveCaughtUp(world, directory());
  }

  /** What has not come to an end, in words. */
  async #unsettled(): Promise<string> {
    const { world, api, clients, shop, almanac, pageBuyers } = this.#means;
    const { orders, payouts } = world.witness.market;
    const words: string[] = [...clients.pending.keys()].slice(0, 2);
    for (const { checkout, id, state, refunds, disputes } of orders.values()) {
      if (!ended.has(state)) words.push(`${checkout} ${id} is ${state}`);
      for (const [refund, one] of refunds) {
        if (one.state !== 'succeeded' && one.state !== 'failed') {
          words.push(`${refund} of ${checkout} ${id} is ${one.state}`);
        }
      }
      for (const [dispute, one] of disputes)
        if (one.state === 'open') words.push(`${dispute} open`);
    }
    for (const { seller, id, state } of payouts.values()) {
      if (state !== 'paid' && state !== 'failed') words.push(`payout ${seller} ${id} is ${state}`);
    }
    words.push(...shop.waiting(), ...pageBuyers.waiting());
    if (world.parts.schedule) words.push(...almanac.due());
    const dead = await listDeadCalls(api);
    for (const one of dead) if (!one.retried) words.push(`${one.call} ${one.key} is given up`);
    return words.join('; ');
  }

  async check(): Promise<void> {
    const { world, clients, directory, api, providers, erasing, shop, almanac, stop } = this.#means;
    const { witness, trace } = world;
    await checkReadModels(world, directory());
    await checkEveryPosition(world);
    this.#checkProviders();
    this.#means.pageBuyers.check();
    for (const command of clients.accepted) {
      if (command.kind !== 'pay') continue;
      const orders = witness.market.ordersOf(command.checkout);
      const same = command.orders.every(({ id, amount, seller }) => {
        const order = orders.find((one) => one.id === id);
        return order?.seller === seller && order.amount === BigInt(amount);
      });
      if (!same)
        throw new InvariantError('accepted', `${command.checkout} is not what was accepted`);
    }
    this.#checkRefused();
    await this.#hintsAgain();
    const dead = await listDeadCalls(api);
    if (dead.length > 0) trace.say(`dead letters: ${JSON.stringify(dead)}`);
    witness.logged(JSON.stringify(dead));
    if (api.door) witness.logged(await api.door.metrics());
    await erasing.check();
    shop.check();
    if (world.parts.schedule) {
      almanac.check();
      almanac.checkDay();
      await checkNights(world, providers);
    }
    const calls = shop.calls;
    for (const { name, tables } of world.projections) {
      const live = await liveSnapshot(world, directory(), name as ProjectionName);
      const text = live ? await textOf(live, tables) : '';
      witness.logged(text);
      for (const time of [1, 2]) {
        const rebuilt = await this.#rebuilt(name as ProjectionName);
        if (rebuilt !== text) throw new InvariantError('rebuilt', `${name}, time ${time}`);
      }
      trace.say(`${name} ${sha256(text)}`);
    }
    if (shop.calls !== calls) throw new InvariantError('webhooks', 'a rebuild told somebody');
    witness.check();
    stop();
    // Days that are many have files that are many: they are compared in the other seeds.
    if (!world.parts.schedule) await new Reconciling(world, providers).check();
  }

  /** I3: what came under the key of another request has left nothing behind. */
  #checkRefused(): void {
    const { world, clients } = this.#means;
    const { orders } = world.witness.market;
    for (const command of clients.refused()) {
      if (command.kind !== 'refund') continue;
      const { checkout, order, refund } = command;
      if (orders.get(`${checkout} ${order}`)?.refunds.has(refund)) {
        throw new InvariantError('told', `${refund} was refused for its key, and carried out`);
      }
    }
  }

  /** I5: what is booked is what the providers hold, order by order. */
  #checkProviders(): void {
    const { world, providers } = this.#means;
    const { market } = world.witness;
    const books = new ProviderBooks(providers);
    const differs = (detail: string) => {
      throw new InvariantError('providers', detail);
    };
    const payments = books.held('payment_intent');
    for (const { checkout, id, captured } of market.orders.values()) {
      let held = 0n;
      for (const [reference, objects] of payments) {
        if (!reference.startsWith(`p~${checkout}~${id}~`)) continue;
        for (const one of objects) held += one.captured;
      }
      if (held !== captured) differs(`${checkout} ${id}: ${captured} booked, ${held} charged`);
    }
    for (const { checkout, id, attempts } of market.orders.values()) {
      for (const { number, hasDoneNothing, paymentId } of attempts) {
        const [held] = payments.get(`p~${checkout}~${id}~${number}`) ?? [];
        // Who has looked for a call, and takes it for one that did nothing, must be right.
        // A card that was erased while a create was in doubt cannot be asked about: nothing is charged by what it made.
        const isErased = world.witness.erased.has(`buyer:${checkout}`);
        const isForgotten = hasDoneNothing && paymentId === undefined && held && !isErased;
        if (isForgotten) differs(`${held.id} of ${checkout} ${id} was never done, it is said`);
      }
    }
    const refunds = books.held('refund');
    for (const { checkout, id, refunds: booked } of market.orders.values()) {
      for (const [refund, { state }] of booked) {
        const [held] = refunds.get(`r~${checkout}~${id}~${refund}`) ?? [];
        const status = held?.status === 'succeeded' ? 'succeeded' : 'failed';
        if (status !== state) differs(`${refund} of ${checkout} ${id} is ${state}, not ${status}`);
      }
    }
    this.#checkDisputes(differs);
    const payouts = books.held('payout');
    for (const { seller, id, state } of market.payouts.values()) {
      const [held] = payouts.get(`o~${seller}~${id.replaceAll('~', '%7E')}`) ?? [];
      const status = held?.status === 'paid' ? 'paid' : 'failed';
      if (status !== state) differs(`payout ${seller} ${id} is ${state}, not ${status}`);
    }
  }

  /** Every dispute that has taken money is booked, unless what it takes has been paid back before. */
  #checkDisputes(differs: (detail: string) => void): void {
    const { world, providers } = this.#means;
    const orders = [...world.witness.market.orders.values()];
    for (const { sandbox } of providers) {
      for (const { id, payment_intent, status } of sandbox.storage.page('dispute', {
        limit: 1_000,
      })) {
        const order = orders.find(({ attempts }) =>
          attempts.some(({ paymentId }) => paymentId === payment_intent),
        );
        const state = order?.disputes.get(id)?.state;
        if (state === status || (state === undefined && order && hasGivenBack(order))) continue;
        differs(`dispute ${id} of ${order?.checkout} ${order?.id} is ${status}, and ${state} here`);
      }
    }
  }

  /** I7: everything that any webhook ever spoke of, once more and in another order, changes nothing. */
  async #hintsAgain(): Promise<void> {
    const { world, api, providers } = this.#means;
    const before = world.witness.facts.length;
    for (const { name: psp, sandbox } of providers) {
      const kinds = {
        payment_intent: 'payment',
        refund: 'refund',
        payout: 'payout',
        'checkout.session': 'page',
        setup_intent: 'authentication',
      } as const;
      for (const [kind, named] of Object.entries(kinds)) {
        const page = sandbox.storage.page(kind as keyof typeof kinds, { limit: 1_000 });
        for (const { id } of page)
          await followHint(api.observer, { psp, object: { kind: named, id } });
      }
    }
    const after = world.witness.facts.length;
    if (after !== before) {
      const fact = world.witness.facts[before];
      throw new InvariantError(
        'hints',
        `a hint that came again wrote ${fact?.stream} ${fact?.type}`,
      );
    }
  }

  /** A rebuild by another process, with another number of workers. */
  async #rebuilt(name: ProjectionName): Promise<string> {
    const { world } = this.#means;
    const directory = this.#means.directory();
    const { clock, databases, random } = world;
    const projection = world.projections.find((one) => one.name === name);
    if (!projection) throw new TypeError(name);
    const store = memoryProjectionStore({ clock, database: databases[name] });
    const rebuilding = rebuild({
      ...{ log: openLog(world), store, projection, cipher: openCipher(world), directory, clock },
      ...{
        workers: random.int(1, world.storage.partitions),
        holder: 'rebuild',
        signal: new AbortController().signal,
      },
    });
    const result = await clock.until(rebuilding);
    if (result.kind !== 'rebuilt') throw new InvariantError('rebuilt', JSON.stringify(result));
    const opened = await store.open(result.generation);
    if (opened === 'lost') throw new InvariantError('rebuilt', `${name} is lost`);
    return textOf(await opened.snapshot(), projection.tables);
  }
}
