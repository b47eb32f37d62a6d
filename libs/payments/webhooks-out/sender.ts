import type { Clock, SubjectCipher } from '@annals/core';
import { decodeCheckpoint, type EventLog, encodeCheckpoint } from '@annals/event-log';
import { changeStream, loadStream } from '../change.ts';
import { paymentsEvents } from '../events.ts';
import type { DeliveryLog } from './delivery-log.ts';
import {
  EndpointDirectory,
  endpointStreams,
  liveSecrets,
  switchEndpoint,
  type WebhookEndpoint,
} from './endpoints.ts';
import { webhookEndpointsStream } from './events.ts';
import {
  type Attempt,
  type Delivery,
  laneStreams,
  nextDelivery,
  recordAttempt,
  skipDelivery,
} from './lane.ts';
import { webhookLimits } from './limits.ts';
import type { WebhookPost, WebhookResponse } from './post.ts';
import { retryAt } from './retry-schedule.ts';
import { signedHeaders } from './signature.ts';
import { webhookBody } from './webhook-table.ts';

export interface WebhookSenderOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly deliveries: DeliveryLog;
  readonly post: WebhookPost;
  /** At least 0, below 1: spreads the waits between attempts. */
  readonly random: () => number;
  readonly limits?: Partial<{ readonly [Name in keyof typeof webhookLimits]: number }>;
  /** Told of what went wrong on our side; for logs and metrics. */
  readonly onTrouble?: (trouble: { readonly lane: string; readonly reason: string }) => void;
}

/**
 * Tells endpoints what waits for them. Each lane is told in its order: a delivery that failed holds up the later ones of
 * the same stream to the same endpoint, and nothing else. Every attempt is an event, written after it was made: an
 * endpoint is told at least once, and knows a repetition by `webhook-id`.
 */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  readonly #limits: { readonly [Name in keyof typeof webhookLimits]: number };
  readonly #directory: EndpointDirectory;
  /** Lanes being worked on, by endpoint. */
  readonly #running = new Map<string, Map<string, Promise<void>>>();

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
    this.#limits = { ...webhookLimits, ...options.limits };
    this.#directory = new EndpointDirectory(options.log, options.cipher);
  }

  /** Until the signal is aborted; attempts under way are cut off then, and made again by whoever runs next. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.pass(signal);
      } catch (error) {
        this.#trouble('', error);
      }
      await this.#options.clock.sleep(this.#limits.pollMs, signal);
    }
    await this.settled();
  }

  /** Begins with everything that is due now and has room; does not wait for it. */
  async pass(signal: AbortSignal): Promise<void> {
    const { deliveries, clock } = this.#options;
    const endpoints = await this.#directory.load();
    for (const endpoint of endpoints.values()) {
      const running = this.#running.get(endpoint.id) ?? new Map<string, Promise<void>>();
      this.#running.set(endpoint.id, running);
      const most = this.#limits.attemptsPerEndpointMax;
      if (running.size >= most) continue;
      const due = await deliveries.dueLanes(endpoint.id, clock.now(), most + running.size);
      if (due.kind === 'lost') return this.#trouble('', new Error('the delivery log is lost'));
      for (const lane of due.lanes) {
        if (running.size >= most || running.has(lane)) continue;
        const work = this.#work(endpoint.id, lane, signal)
          .catch((error: unknown) => this.#trouble(lane, error))
          .finally(() => running.delete(lane));
        running.set(lane, work);
      }
    }
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (;;) {
      const works = [...this.#running.values()].flatMap((lanes) => [...lanes.values()]);
      if (works.length === 0) return;
      await Promise.all(works);
    }
  }

  /** Tells what is due of one lane, one after the other, until one fails or none is left. */
  async #work(endpointId: string, lane: string, signal: AbortSignal): Promise<void> {
    const { log, cipher, clock, deliveries } = this.#options;
    let position: string | undefined;
    while (!signal.aborted) {
      const { state } = await loadStream({ log, cipher }, laneStreams, lane);
      const delivery = nextDelivery(state);
      if (!delivery || delivery.dueAt > clock.now()) break;
      const endpoint = (await this.#directory.load()).get(endpointId);
      const told = await this.#tell(endpoint, lane, delivery, signal);
      if (told === undefined) break;
      position = told;
    }
    // Else the next look would find it due once more, for nothing.
    const reached = position === undefined ? undefined : decodeCheckpoint(position);
    if (reached) await deliveries.waitFor(reached, this.#limits.readModelMsMax, signal);
  }

  /** Where its outcome stands; undefined where nothing could be written. */
  async #tell(
    endpoint: WebhookEndpoint | undefined,
    lane: string,
    delivery: Delivery,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { clock } = this.#options;
    const secrets = endpoint ? liveSecrets(endpoint, clock.now()) : [];
    if (!endpoint?.enabled || secrets.length === 0) {
      const reason = endpoint?.enabled ? 'the endpoint has no secret' : 'the endpoint is off';
      const skip = { deliveryId: delivery.id, reason, at: clock.now() };
      return this.#change(lane, (state) => skipDelivery(state, skip));
    }
    const response = await this.#post(endpoint, secrets, delivery, signal);
    // Cut off by ourselves: nothing is known of it, and it is no failure of the endpoint.
    if (signal.aborted && response.kind === 'no-answer') return undefined;
    if (response.kind === 'answered' && response.status === 410) await this.#gone(endpoint.id);
    const attempt = this.#attempt(delivery, response);
    return this.#change(lane, (state) => recordAttempt(state, attempt));
  }

  async #post(
    endpoint: WebhookEndpoint,
    secrets: readonly string[],
    { stream, revision, eventId }: Delivery,
    signal: AbortSignal,
  ): Promise<WebhookResponse> {
    const { log, cipher, clock, post } = this.#options;
    const page = await log.readStream(stream, { from: revision, limit: 1 });
    const [event] = await paymentsEvents.decode(page.events, cipher);
    if (!event) throw new TypeError(`a delivery names ${stream}@${revision}, which is not there`);
    const body = webhookBody(event);
    const headers = signedHeaders({ id: eventId, at: clock.now(), body }, secrets);
    return post({ url: endpoint.url, headers, body, signal });
  }

  #attempt(delivery: Delivery, response: WebhookResponse): Attempt {
    const now = this.#options.clock.now();
    const of = { deliveryId: delivery.id, after: delivery.attempts, at: now };
    const answered = response.kind === 'answered' ? { status: response.status } : {};
    if (response.kind === 'answered' && response.status >= 200 && response.status < 300) {
      return { ...of, ...answered, outcome: 'delivered', detail: '' };
    }
    const detail = response.kind === 'answered' ? response.excerpt : response.reason;
    const failed = { ...of, ...answered, outcome: 'failed', detail } as const;
    if (response.kind === 'answered' && response.status === 410) return failed;
    const { failures, waitsSince } = delivery;
    const { random } = this.#options;
    const at = retryAt({ failures: failures + 1, waitsSince, now }, random, this.#limits);
    return at === undefined ? failed : { ...failed, retryAt: at };
  }

  /** It says itself that it wants nothing any more. */
  async #gone(id: string): Promise<void> {
    const { log, cipher, clock } = this.#options;
    const off = { id, enabled: false, reason: 'it answered 410 Gone', at: clock.now() };
    await changeStream({ log, cipher }, endpointStreams, webhookEndpointsStream, ({ state }) =>
      switchEndpoint(state, off),
    );
  }

  async #change(
    lane: string,
    decide: (
      state: Parameters<typeof recordAttempt>[0],
    ) => ReturnType<typeof recordAttempt> | ReturnType<typeof skipDelivery>,
  ): Promise<string | undefined> {
    const { log, cipher } = this.#options;
    const done = await changeStream({ log, cipher }, laneStreams, lane, ({ state }) =>
      decide(state),
    );
    if (done.kind === 'carried') return encodeCheckpoint(done.checkpoint);
    this.#options.onTrouble?.({ lane, reason: `the outcome was not written: ${done.kind}` });
    return undefined;
  }

  #trouble(lane: string, error: unknown): void {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.#options.onTrouble?.({ lane, reason });
  }
}
