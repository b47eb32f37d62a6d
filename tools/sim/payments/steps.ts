import { requestEnd } from '@annals/payments';
import { listDeadCalls, retryDeadCall, sweep, type Waiting } from '@annals/payments/reactors';
import { providerEventsStep } from '@annals/payments/runtime';
import type { Clients } from './clients.ts';
import { sellers } from './clients.ts';
import { providerNames } from './http-door.ts';
import type { NaiveOrder } from './naive-market.ts';
import type { ApiProcess } from './processes.ts';
import type { Provider } from './provider.ts';
import { shopName } from './shop.ts';
import { currencies } from './twin-wallets.ts';
import type { World } from './world.ts';

/** What people and timers do beside the callers: each is drawn from what is there. */
export class Steps {
  readonly #world: World;
  readonly #clients: Clients;
  readonly #providers: readonly Provider[];
  #numbers = 0;
  readonly #refunds = new Map<string, number>();

  constructor(world: World, clients: Clients, providers: readonly Provider[]) {
    this.#world = world;
    this.#clients = clients;
    this.#providers = providers;
  }

  /** Work whose outcome nobody waits for. */
  begin(what: string, work: Promise<unknown>): void {
    const { trace } = this.#world;
    work
      .then((done) =>
        trace.say(`${what}: ${(done as { kind?: string } | undefined)?.kind ?? 'done'}`),
      )
      .catch((error: unknown) => trace.say(`${what} broke: ${String(error)}`));
  }

  /** A buyer at the page of the bank. */
  answerAction(always = false): void {
    const { random, witness } = this.#world;
    const actions = [...witness.market.actions.values()];
    if (actions.length === 0) return;
    const url = random.pick(actions);
    const outcome = always || random.chance(80) ? 'succeeded' : 'failed';
    const name = new URL(url).hostname.split('.')[0];
    const provider = this.#providers.find((one) => one.name === name);
    if (provider) this.begin(`buyer ${outcome}`, provider.visit(url, `outcome=${outcome}`));
  }

  capture(api: ApiProcess): void {
    const order = this.#pick(({ state }) => state === 'authorized');
    if (!order) return;
    const { random } = this.#world;
    const part = BigInt(random.int(1, Number(order.amount)));
    const amount = random.chance(60) ? undefined : String(part);
    const of = { checkout: order.checkout, order: order.id };
    this.#clients.send(api, this.#clients.keyed({ kind: 'capture', ...of, amount }));
  }

  cancel(api: ApiProcess): void {
    const order = this.#pick(({ captured }) => captured === 0n);
    if (!order) return;
    const of = { checkout: order.checkout, order: order.id };
    this.#clients.send(api, this.#clients.keyed({ kind: 'cancel', ...of }));
  }

  deliver(api: ApiProcess): void {
    const order = this.#pick(({ state }) => state === 'captured');
    if (!order) return;
    const of = { checkout: order.checkout, order: order.id };
    this.#clients.send(api, this.#clients.keyed({ kind: 'delivered', ...of }));
  }

  refund(api: ApiProcess): void {
    const order = this.#pick(({ captured }) => captured > 0n);
    if (!order) return;
    const { random } = this.#world;
    // Sometimes more than is left: that must be refused.
    const whole = random.chance(40);
    const amount = whole ? order.captured : BigInt(random.int(1, Number(order.captured)));
    const of = { checkout: order.checkout, order: order.id, refund: this.#refundOf(order) };
    this.#clients.send(api, this.#clients.keyed({ kind: 'refund', ...of, amount: String(amount) }));
  }

  /** Refunds are numbered within their order: those of two orders have the same ids. */
  #refundOf({ checkout, id }: { readonly checkout: string; readonly id: string }): string {
    const order = `${checkout} ${id}`;
    const number = (this.#refunds.get(order) ?? 0) + 1;
    this.#refunds.set(order, number);
    return `refund-${number}`;
  }

  /** Two requests that differ, under one key and at the same time: one of them at most may have an effect. */
  rival(apis: readonly ApiProcess[]): void {
    const order = this.#pick(({ captured }) => captured > 0n);
    if (!order) return;
    const { random } = this.#world;
    const of = { checkout: order.checkout, order: order.id };
    const amount = String(random.int(1, 20));
    const refund = () => {
      return { kind: 'refund', ...of, refund: this.#refundOf(order), amount } as const;
    };
    const first = this.#clients.keyed(refund());
    this.#clients.send(random.pick(apis), first);
    this.#clients.send(random.pick(apis), { ...first, command: refund() });
  }

  /** Two at once, now and then: they see the same wallet. */
  payOut(apis: readonly ApiProcess[]): void {
    const { random, witness } = this.#world;
    const rich = sellers.flatMap((seller) =>
      currencies
        .filter((currency) => witness.market.owed('seller_available', seller, currency) > 0n)
        .map((currency) => ({ seller, currency })),
    );
    if (rich.length === 0) return;
    const { seller, currency } = random.pick(rich);
    const available = witness.market.owed('seller_available', seller, currency);
    const times = random.chance(60) ? 2 : 1;
    for (let count = 0; count < times; count += 1) {
      this.#numbers += 1;
      const amount = random.chance(30) ? undefined : String(available);
      const of = { seller, currency, payout: `payout-${this.#numbers}` };
      // Mostly where the money is.
      const psp = random.chance(80) ? 'one' : random.pick(this.#providers).name;
      const command = { kind: 'payout', ...of, amount, psp } as const;
      this.#clients.send(random.pick(apis), this.#clients.keyed(command));
    }
  }

  /** A person lets go of a part of what is held back. */
  releaseReserve({ payments }: ApiProcess): void {
    const { random, witness } = this.#world;
    const [seller, currency] = [random.pick(sellers), random.pick(currencies)];
    const held = witness.market.owed('seller_reserve', seller, currency);
    if (held <= 0n) return;
    const amount = BigInt(random.int(1, Number(held)));
    this.#numbers += 1;
    const releaseId = `release-${this.#numbers}`;
    this.begin('reserve', payments.releaseReserve(seller, { releaseId, currency, amount }));
  }

  /** A person looks at an order that risk has put aside. */
  review({ payments }: ApiProcess, always = false): void {
    const order = this.#pick(({ state }) => state === 'risk_review');
    if (!order) return;
    const verdict = always || this.#world.random.chance(75) ? 'approved' : 'rejected';
    const command = { verdict, decidedBy: 'eve' } as const;
    this.begin(`review ${verdict}`, payments.review(order.checkout, order.id, command));
  }

  /** The timer of what has run out of time, and of orders that nobody has looked at the risk of. */
  expire({ payments }: ApiProcess): void {
    const { clock } = this.#world;
    const at = clock.now();
    const order = this.#pick(({ captured, state }) => captured === 0n && !ends.has(state));
    if (!order) return;
    const ending = { as: 'expired', at, callBefore: at + 60_000 } as const;
    this.begin(
      `expire ${order.checkout} ${order.id}`,
      payments.changeCheckout(order.checkout, (checkout) => {
        const decision = requestEnd(checkout, order.id, ending);
        return decision;
      }),
    );
  }

  /** A buyer complains at the bank. */
  dispute(): void {
    const { random } = this.#world;
    const provider = random.pick(this.#providers);
    const charges = provider.sandbox.storage
      .page('charge', { limit: 100 })
      .filter(({ captured, disputed }) => captured && !disputed);
    if (charges.length === 0) return;
    const { id } = random.pick(charges);
    const path = `/sandbox/charges/${id}/dispute`;
    this.begin(`dispute ${id}`, provider.visit(path, '{}'));
  }

  /** The merchant answers a dispute, at the provider and here. */
  evidence({ payments }: ApiProcess): void {
    const { random, witness } = this.#world;
    const open = [...witness.market.orders.values()].flatMap((order) =>
      [...order.disputes]
        .filter(([, { state }]) => state === 'open')
        .map(([dispute]) => ({ order, dispute })),
    );
    if (open.length === 0) return;
    const { order, dispute } = random.pick(open);
    const words = random.chance(60) ? 'winning_evidence' : 'losing_evidence';
    for (const provider of this.#providers) {
      if (!provider.sandbox.storage.get('dispute', dispute)) continue;
      const form = `evidence[uncategorized_text]=${words}&submit=true`;
      this.begin(`evidence ${dispute}`, provider.visit(`/v1/disputes/${dispute}`, form));
    }
    const given = { disputeId: dispute, givenBy: 'eve' };
    this.begin('evidence here', payments.evidence(order.checkout, order.id, given));
  }

  /** The shop signs on to a new secret; the old one is good for a while. */
  rotateSecret({ webhooks }: ApiProcess): void {
    this.begin('rotate', webhooks.rotate(shopName, { by: 'eve' }));
  }

  /** The shop is switched off for a while: what happens then is written down, and not told. */
  switchShop({ webhooks }: ApiProcess): void {
    const enabled = this.#world.random.chance(70);
    const command = { enabled, reason: 'drawn', by: 'eve' };
    this.begin(`switch ${enabled}`, webhooks.switch(shopName, command));
  }

  /** The shop asks to be told again what it was told a while ago, or lately. */
  tellAgain({ webhooks }: ApiProcess): void {
    const { random, clock } = this.#world;
    const since = clock.now() - random.int(0, 60) * 60_000;
    const command = { since, limit: 20, by: 'eve' };
    this.begin('tell again', webhooks.replaySince(shopName, command));
  }

  /** The timer that looks at everything that waits for a word of its provider. */
  async sweep(api: ApiProcess): Promise<void> {
    const swept = await sweep(api.observer, this.#waiting(), new AbortController().signal);
    this.#world.trace.say(`swept ${JSON.stringify(swept)}`);
  }

  beginSweep(api: ApiProcess): void {
    this.begin('sweep', this.sweep(api));
  }

  /** The timer that asks providers for what a webhook did not tell. */
  async askForEvents({ log, cipher, clock, observer }: ApiProcess): Promise<void> {
    const routing = { names: providerNames, psp: (name: string) => observer.psp(name) };
    const step = providerEventsStep({ log, cipher, clock, routing, observer });
    const came = await step.run(new AbortController().signal);
    this.#world.trace.say(`events ${came}`);
  }

  beginEvents(api: ApiProcess): void {
    this.begin('events', this.askForEvents(api));
  }

  /** A person asks for one more try of every call that was given up. */
  async retryDead({ log, cipher }: ApiProcess): Promise<number> {
    const { clock } = this.#world;
    const dead = (await listDeadCalls({ log, cipher })).filter(({ retried }) => !retried);
    for (const { key } of dead) {
      await retryDeadCall({ log, cipher }, { key, requestedBy: 'eve', at: clock.now() });
    }
    return dead.length;
  }

  beginRetry(api: ApiProcess): void {
    this.begin('retry', this.retryDead(api));
  }

  #waiting(): Waiting[] {
    const { market } = this.#world.witness;
    const waiting: Waiting[] = [];
    for (const { psp, id } of market.authentications.values()) {
      if (id !== undefined) waiting.push({ psp, object: { kind: 'authentication', id } });
    }
    for (const { attempts } of market.orders.values()) {
      for (const { psp, paymentId: id, state } of attempts) {
        if (id !== undefined && state === 'alive') {
          waiting.push({ psp, object: { kind: 'payment', id } });
        }
      }
    }
    for (const { psp, pspPayoutId: id, state } of market.payouts.values()) {
      if (id !== undefined && state === 'sent')
        waiting.push({ psp, object: { kind: 'payout', id } });
    }
    return waiting;
  }

  #pick(isWanted: (order: NaiveOrder) => boolean): NaiveOrder | undefined {
    const { random, witness } = this.#world;
    const orders = [...witness.market.orders.values()].filter(isWanted);
    return orders.length > 0 ? random.pick(orders) : undefined;
  }
}

const ends: ReadonlySet<string> = new Set(['failed', 'canceled', 'expired']);
