import { createHmac } from 'node:crypto';
import { type Psp, stripePsp, type WebhookDelivery } from '@annals/payments/psp';
import { parseReference } from '@annals/payments/reactors';
import type { VirtualClock } from '@annals/projection/testing';
import {
  type Delivery,
  type FaultInput,
  faultSchema,
  Sandbox,
  Storage,
  sandboxFetch,
} from '@annals/sandbox-psp';
import type { Random } from '../random.ts';
import type { Witness } from './witness.ts';

const key = 'sk_test_sandbox';
/** Each provider signs with one of its own: that says whose a webhook is. */
const secretOf = (name: string) => `whsec_sandbox_${name}`;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** How long a provider sleeps at most before it looks whether something is due. */
const idleMsMax = 10 * minuteMs;

/** What the adapter is told of the provider: short, so that keys run out and searches lag within a seed. */
const terms = { keyLifeMs: 50 * minuteMs, callMsMax: 5_000, inFlightMsMax: 20_000 } as const;
const searchLagMs = 5 * minuteMs;
const pace = {
  refundMs: 20_000,
  payoutInTransitMs: 30_000,
  payoutPaidMs: minuteMs,
  payoutFailsMs: 3 * minuteMs,
  disputeMs: minuteMs,
  disputeDecidedMs: 10 * minuteMs,
  evidenceMs: hourMs,
  searchLagMs: 2 * minuteMs,
  keyLifeMs: hourMs,
  webhookRetriesMs: [1_000, 10_000, minuteMs, 10 * minuteMs, hourMs, 2 * hourMs],
} as const;

export interface ProviderMeans {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly witness: Witness;
  /** Whether every webhook may be lost: then somebody asks for the events. */
  readonly losesAny: boolean;
  /** Whether webhooks of pages are lost often, whatever the weather. */
  readonly losesPages: boolean;
  /** Hands a webhook to whoever takes them; true when that one has answered with success. */
  readonly receive: (psp: string, delivery: WebhookDelivery) => Promise<boolean>;
}

/** How often calls and webhooks go wrong, in percent. */
export interface ProviderWeather {
  readonly call: number;
  readonly webhook: number;
}

/** So often a fault strikes that strikes by chance. */
const times = 1_000_000;
/** What is lost for good: what a sweep finds again, or an object that something else brings. */
const losable = [
  ...['payment_intent.*', 'setup_intent.*', 'refund.created'],
  // That a payout came back after it was paid is not among them: only who asks for events hears of it again.
  ...['payout.created', 'payout.updated', 'payout.paid'],
];

/** A provider of payments: the sandbox's core in this process, behind the real client and adapter. */
export class Provider {
  readonly name: string;
  readonly sandbox: Sandbox;
  readonly startedAt: number;
  /** How often its books may have changed. */
  changes = 0;
  /** No connection comes about. */
  isDown = false;
  readonly #means: ProviderMeans;
  readonly #exchange: typeof fetch;
  readonly #ended = new AbortController();
  #wake = new AbortController();
  #posts = 0;
  /** Whether the sandbox has to be told to take what arrived off its list. */
  #hasArrived = false;

  constructor(means: ProviderMeans) {
    const { name, clock, random } = means;
    this.name = name;
    this.#means = means;
    this.startedAt = clock.now();
    this.sandbox = new Sandbox({
      storage: new Storage(':memory:'),
      // A machine of its own: our clocks may be set, its clock is right.
      now: () => this.startedAt + clock.elapsedMs,
      random: () => random.int(0, 999_999_999) / 1_000_000_000,
      key,
      publicUrl: () => `http://${name}.test`,
      pace,
    });
    this.sandbox.useEndpoint('http://shop.test/webhooks', secretOf(name));
    this.#exchange = sandboxFetch(this.sandbox, (ms) => clock.sleep(ms));
  }

  /** The adapter as one process has it: nothing is sent any more once the process is gone. */
  adapter(isGone: () => boolean): Psp {
    const { clock } = this.#means;
    return stripePsp({
      ...{ name: this.name, url: `http://${this.name}.test`, key, clock, terms, searchLagMs },
      webhookSecrets: ['whsec_old', secretOf(this.name)],
      returnUrl: 'http://shop.test/back',
      fetch: (input, init) => {
        if (isGone()) return new Promise<Response>(() => undefined);
        return this.#call(input, init);
      },
    });
  }

  /** Somebody's request beside the adapter: a buyer at the bank's page, a merchant at the provider's. */
  async visit(path: string, form: string): Promise<Response> {
    const headers = { authorization: `Bearer ${key}` };
    const url = path.startsWith('http') ? path : `http://${this.name}.test${path}`;
    const answer = await this.#exchange(url, { method: 'POST', headers, body: form });
    this.changes += 1;
    this.#wake.abort('work');
    return answer;
  }

  /** From now on so much goes wrong. */
  turn({ call, webhook }: ProviderWeather): void {
    const strikes: FaultInput[] = [];
    for (const when of ['before', 'after'] as const) {
      for (const what of ['delay', 'cut', 'error', 'gateway_error'] as const) {
        strikes.push({ operation: '*', do: what, when, ms: 8_000, chance: call / 800 });
      }
    }
    for (const operation of ['payment_intents.capture', 'payment_intents.cancel']) {
      strikes.push({ operation, do: 'refuse', chance: call / 100 });
    }
    const chance = webhook / 400;
    const lost = this.#means.losesAny ? ['*'] : losable;
    for (const event of lost) strikes.push({ event, do: 'lose', chance });
    if (this.#means.losesPages) {
      // In fair weather, too: providers are asked for their events.
      strikes.push({ event: 'checkout.session.*', do: 'lose', chance: 0.3 });
    }
    strikes.push({ event: '*', do: 'double', chance });
    strikes.push({ event: '*', do: 'reorder', ms: 3_000, chance });
    strikes.push({ event: '*', do: 'delay', ms: 4 * minuteMs, chance });
    const { faults } = this.sandbox;
    this.sandbox.transact(() => {
      faults.clear();
      for (const [index, strike] of strikes.entries()) {
        if (strike.chance) faults.add(`fault-${index}`, faultSchema.parse({ ...strike, times }));
      }
    });
  }

  /** Does what falls due, and sends webhooks, until the end. */
  async run(): Promise<void> {
    const { clock } = this.#means;
    while (!this.#ended.signal.aborted) {
      this.#wake = new AbortController();
      if (this.#hasArrived || this.#idleMs() === 0) {
        this.#hasArrived = false;
        this.changes += 1;
        for (const delivery of this.sandbox.work()) void this.#post(delivery);
      }
      const idleMs = Math.min(Math.max(1, this.#idleMs()), idleMsMax);
      await clock.sleep(idleMs, AbortSignal.any([this.#wake.signal, this.#ended.signal]));
    }
  }

  /** How long nothing is due. */
  #idleMs(): number {
    const due = this.sandbox.nextDueAt() ?? Number.POSITIVE_INFINITY;
    return Math.max(0, due - this.sandbox.now());
  }

  /** Nothing is on its way, and nothing will happen for a while. */
  get isQuiet(): boolean {
    return this.#posts === 0 && this.#idleMs() > 3 * hourMs;
  }

  /** Whether an object with this id is one of this provider. */
  knows(id: string): boolean {
    const kinds = ['payment_intent', 'refund', 'dispute', 'payout'] as const;
    return kinds.some((kind) => this.sandbox.storage.get(kind, id));
  }

  end(): void {
    this.#ended.abort();
  }

  async #call(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    const { witness } = this.#means;
    if (this.isDown) {
      const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      throw new TypeError('fetch failed', { cause });
    }
    const { pathname } = new URL(String(input instanceof Request ? input.url : input));
    const changes = init?.method === 'POST';
    if (changes && !pathname.startsWith('/v1/reporting/')) {
      witness.called(pathname, new Headers(init.headers).get('idempotency-key'));
    }
    try {
      return await this.#exchange(input, init);
    } finally {
      if (changes) this.changes += 1;
      this.#wake.abort('work');
    }
  }

  async #post(delivery: Delivery): Promise<void> {
    const { clock, receive } = this.#means;
    this.#posts += 1;
    try {
      const body = Buffer.from(delivery.body);
      const signature = delivery.headers['stripe-signature'];
      const arrived = await receive(this.name, { body, signature, receivedAt: clock.now() });
      if (!arrived) return;
      this.sandbox.arrived(delivery);
      this.#hasArrived = true;
    } finally {
      this.#posts -= 1;
      this.#wake.abort('work');
    }
  }
}

/** Stripe's scheme v1, by hand: over the bytes and the time, in milliseconds since 1970. */
export function signatureOf(secret: string, body: string, at: number): string {
  const seconds = Math.floor(at / 1_000);
  const signed = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${signed}`;
}

/** What providers hold for one reference of ours. */
export interface HeldObject {
  readonly provider: string;
  readonly id: string;
  readonly status: string;
  readonly amount: bigint;
  readonly captured: bigint;
}

const objectsMax = 100_000;
const live: ReadonlySet<string> = new Set(['requires_capture', 'succeeded', 'processing']);

/** The providers' own books: what really happened to the money. */
export class ProviderBooks {
  readonly #providers: readonly Provider[];
  #checked: number | undefined;

  constructor(providers: readonly Provider[]) {
    this.#providers = providers;
  }

  held(kind: 'payment_intent' | 'refund' | 'payout'): Map<string, HeldObject[]> {
    const held = new Map<string, HeldObject[]>();
    for (const { name, sandbox } of this.#providers) {
      for (const object of sandbox.storage.page(kind, { limit: objectsMax })) {
        const { metadata, amount, status, id } = object;
        const reference = Object.values(metadata).find((text) => parseReference(text)) ?? id;
        const captured = 'amount_received' in object ? object.amount_received : 0;
        const one = { provider: name, id, status, amount: BigInt(amount) };
        const known = held.get(reference) ?? [];
        held.set(reference, [...known, { ...one, captured: BigInt(captured) }]);
      }
    }
    return held;
  }

  /** I2: one live authorization or charge for an order, over all attempts and providers; one refund, one payout. */
  check(witness: Witness): void {
    const changes = this.#providers.reduce((sum, provider) => sum + provider.changes, 0);
    // Nothing has changed since they were right.
    if (changes === this.#checked) return;
    this.#checked = changes;
    const charges = new Map<string, string[]>();
    for (const [reference, objects] of this.held('payment_intent')) {
      const of = parseReference(reference);
      if (of?.kind !== 'attempt') continue;
      if (objects.length > 1) witness.raise('one-effect', `${reference} was created twice`);
      const order = `${of.checkout} ${of.order}`;
      const alive = objects.filter(({ status }) => live.has(status)).map(({ id }) => id);
      charges.set(order, [...(charges.get(order) ?? []), ...alive]);
    }
    for (const [order, ids] of charges) {
      if (ids.length > 1) witness.raise('one-charge', `${order} is charged by ${ids.join(', ')}`);
    }
    for (const kind of ['refund', 'payout'] as const) {
      for (const [reference, objects] of this.held(kind)) {
        if (objects.length > 1) witness.raise('one-effect', `${reference} was done twice`);
      }
    }
  }
}
