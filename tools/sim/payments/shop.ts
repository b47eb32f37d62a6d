import { createHmac } from 'node:crypto';
import {
  type WebhookPost,
  type WebhookRequest,
  type WebhookResponse,
  webhookTable,
} from '@annals/payments/webhooks-out';
import type { Fact } from './naive-market.ts';
import type { World } from './world.ts';

export const shopName = 'shop';
export const shopUrl = 'http://shop.test/annals';
/** How far the time in a signature may be from that of the shop: its clock is right, ours may not be. */
const toleranceMs = 5 * 60_000;
const slowMsMax = 90_000;

/** What a delivery came to, by the events that its lane has of it. */
interface Told {
  state: 'waiting' | 'delivered' | 'dead' | 'skipped';
  /** Whether it has been asked for again since it was taken last. */
  isAskedFor: boolean;
}

/**
 * The shop that is told: it checks every signature by hand, takes what it can, and is often away. What is wrong with what
 * it is told is raised at once; whether it was told everything is asked at the end.
 */
export class Shop {
  /** Every request that came, also those that were not taken. */
  calls = 0;
  readonly #world: World;
  readonly #secrets: string[] = [];
  /** Ids of events, as often as they were taken. */
  readonly #taken = new Map<string, number>();
  /** Events by the ids of their deliveries, and what each delivery came to by its event. */
  readonly #events = new Map<string, string>();
  readonly #told = new Map<string, Told>();
  readonly #facts = new Map<string, Fact>();
  readonly #streams = new Map<string, Fact[]>();
  readonly #startedAt: number;
  #seen = 0;
  /** When the endpoint was made: what was recorded earlier is not told. */
  #since = Number.POSITIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
    this.#startedAt = world.clock.now();
  }

  /** A secret that the shop is told as it is made. */
  secret = (): string => {
    const { random, witness } = this.#world;
    const key = Buffer.from(random.bytes(32)).toString('base64');
    this.#secrets.push(key);
    witness.keepSecret(key);
    return `whsec_${key}`;
  };

  /** The line from one process to the shop. */
  post: WebhookPost = async (request) => {
    const { clock, random, trace, weather } = this.#world;
    this.calls += 1;
    const isStruck = weather.shop > 0 && random.chance(weather.shop);
    const fault = isStruck ? random.pick(['error', 'lost', 'unheard', 'slow'] as const) : 'none';
    trace.say(`shop ${request.headers['webhook-id']} ${fault}`);
    if (fault === 'error') return { kind: 'answered', status: 500, excerpt: 'out of order' };
    if (fault === 'lost') return { kind: 'no-answer', reason: 'the connection broke' };
    if (fault === 'slow') await clock.sleep(random.int(1, slowMsMax), request.signal);
    if (request.signal.aborted) return { kind: 'no-answer', reason: 'cut off' };
    const response = this.#take(request);
    return fault === 'unheard' ? { kind: 'no-answer', reason: 'no answer in time' } : response;
  };

  #take(request: WebhookRequest): WebhookResponse {
    const { headers, body } = request;
    const { witness } = this.#world;
    const id = headers['webhook-id'] ?? '';
    const raise = (what: string) => witness.raise('webhooks', `${id}: ${what}`);
    if (!this.#isSigned(request)) raise(`no signature of ours: ${JSON.stringify(headers)}`);
    witness.logged(body);
    this.#catchUp();
    const fact = this.#facts.get(id);
    const said = JSON.parse(body) as { readonly id?: string; readonly data?: Fact['data'] };
    if (!fact || said.id !== id) raise(`it is about no event: ${body}`);
    for (const [name, value] of Object.entries(said.data ?? {})) {
      if (JSON.stringify(fact?.data[name]) !== JSON.stringify(value)) raise(`${name} is ${value}`);
    }
    if (fact && !this.#taken.has(id)) this.#mustBeInOrder(fact, raise);
    this.#taken.set(id, (this.#taken.get(id) ?? 0) + 1);
    const delivery = this.#told.get(id);
    if (delivery) delivery.isAskedFor = false;
    return { kind: 'answered', status: 200, excerpt: '' };
  }

  /** Standard Webhooks, by hand: the base64 of an HMAC-SHA256 over id, time and body, with a secret of the shop. */
  #isSigned({ headers, body }: WebhookRequest): boolean {
    const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': given } = headers;
    const now = this.#startedAt + this.#world.clock.elapsedMs;
    if (Math.abs(Number(time) * 1_000 - now) > toleranceMs) return false;
    return this.#secrets.some((secret) => {
      const hmac = createHmac('sha256', Buffer.from(secret, 'base64'));
      const signature = hmac.update(`${id}.${time}.${body}`).digest('base64');
      return given?.split(' ').includes(`v1,${signature}`);
    });
  }

  /** What happened earlier in the same stream was told before, or is not waited for any more. */
  #mustBeInOrder({ stream, revision }: Fact, raise: (what: string) => void): void {
    for (const before of this.#streams.get(stream) ?? []) {
      if (before.revision >= revision || !this.#isToBeTold(before)) continue;
      const { state = 'waiting', isAskedFor = false } = this.#told.get(before.id) ?? {};
      // What was given up and is asked for again comes behind what waits already.
      if (state === 'waiting' && !isAskedFor && !this.#taken.has(before.id)) {
        raise(`${stream}@${before.revision} ${before.type} was not told before`);
      }
    }
  }

  #isToBeTold({ type, recordedAt }: Fact): boolean {
    const row = webhookTable[type as keyof typeof webhookTable];
    return row !== undefined && row !== 'inside' && recordedAt >= this.#since;
  }

  /** Reads on in what the witness has seen. */
  #catchUp(): void {
    const { facts } = this.#world.witness;
    for (; this.#seen < facts.length; this.#seen += 1) {
      const fact = facts[this.#seen];
      if (!fact) continue;
      if (fact.stream.startsWith('delivery-')) this.#hear(fact);
      // The clock may have been set back since then.
      if (fact.type === 'webhook-endpoint-put') this.#since = fact.recordedAt;
      if (!/^(?:checkout|seller)-/.test(fact.stream)) continue;
      this.#facts.set(fact.id, fact);
      this.#streams.set(fact.stream, [...(this.#streams.get(fact.stream) ?? []), fact]);
    }
  }

  #hear({ type, data }: Fact): void {
    const id = String(data.delivery_id);
    if (type === 'delivery-queued') {
      const event = String(data.event_id);
      this.#events.set(id, event);
      this.#told.set(event, { state: 'waiting', isAskedFor: false });
      return;
    }
    const told = this.#told.get(this.#events.get(id) ?? '');
    if (!told) return;
    if (type === 'delivery-skipped') told.state = 'skipped';
    if (type === 'delivery-replay-requested') {
      told.state = 'waiting';
      told.isAskedFor = true;
    }
    if (type !== 'delivery-attempted') return;
    if (data.outcome === 'delivered') told.state = 'delivered';
    else if (data.retry_at === undefined) told.state = 'dead';
  }

  /** What is still to be told, in words; nothing when all has come to an end. */
  waiting(): readonly string[] {
    this.#catchUp();
    const left = [...this.#facts.values()].filter((fact) => {
      return this.#isToBeTold(fact) && (this.#told.get(fact.id)?.state ?? 'waiting') === 'waiting';
    });
    return left.map(({ stream, revision }) => `${stream}@${revision} is not told`).slice(0, 2);
  }

  /** Everything that is documented as told has been: it arrived, or its lane says that it was given up or left out. */
  check(): void {
    this.#catchUp();
    for (const fact of this.#facts.values()) {
      if (!this.#isToBeTold(fact)) continue;
      const { id, type, stream, revision } = fact;
      const { state = 'not queued', isAskedFor = false } = this.#told.get(id) ?? {};
      if (state === 'dead' || state === 'skipped') continue;
      if (state === 'delivered' && this.#taken.has(id) && !isAskedFor) continue;
      const again = isAskedFor ? ', and was asked for again' : '';
      this.#world.witness.raise('webhooks', `${stream}@${revision} ${type} is ${state}${again}`);
    }
  }
}
