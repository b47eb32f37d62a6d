import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { type Changed, changeAndLoad } from '../change.ts';
import type { Decided, Refused } from '../outcome.ts';
import { type AllowedUrls, webhookUrlProblem } from './addresses.ts';
import type { DeliveryLog, DeliveryPlace } from './delivery-log.ts';
import {
  EndpointDirectory,
  endpointStreams,
  putEndpoint,
  removeEndpoint,
  rotateSecret,
  switchEndpoint,
  unknownEndpoint,
  type WebhookEndpoint,
  type WebhookEndpoints,
} from './endpoints.ts';
import { type EndpointEvent, webhookEndpointsStream } from './events.ts';
import { laneStreams, requestReplay, unknownDelivery } from './lane.ts';
import { webhookLimits as limits } from './limits.ts';
import { newWebhookSecret } from './signature.ts';

export interface WebhooksMeans extends AllowedUrls {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly clock: Pick<Clock, 'now'>;
  readonly deliveries: DeliveryLog;
  /** A new secret each time. Random unless told. */
  readonly secret?: () => string;
}

/** Who asks; written into the event. */
export interface By {
  readonly by: string;
}

type Stopped = Exclude<Changed<unknown>, { readonly kind: 'changed' }>;

export type EndpointChanged =
  | {
      readonly kind: 'changed';
      readonly endpoint: WebhookEndpoint;
      /** A secret that was made by this very call: shown once. */
      readonly secret?: string;
    }
  | Stopped;

export type Replayed =
  | {
      readonly kind: 'replayed';
      /** Deliveries that wait again, or waited already. */
      readonly deliveries: readonly string[];
      /** Ask again from here: there are more. */
      readonly next: DeliveryPlace | undefined;
    }
  | { readonly kind: 'lost' }
  | Stopped;

/** The operations on endpoints and deliveries. What is wrong with a request is a value; broken I/O throws. */
export class Webhooks {
  readonly #means: WebhooksMeans;
  readonly #directory: EndpointDirectory;

  constructor(means: WebhooksMeans) {
    this.#means = means;
    this.#directory = new EndpointDirectory(means.log, means.cipher);
  }

  get deliveries(): DeliveryLog {
    return this.#means.deliveries;
  }

  async endpoints(): Promise<readonly WebhookEndpoint[]> {
    return [...(await this.#directory.load()).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  async endpoint(id: string): Promise<WebhookEndpoint | undefined> {
    return (await this.#directory.load()).get(id);
  }

  /** Why the URL cannot be one of an endpoint here. */
  urlProblem(url: string): string | undefined {
    return webhookUrlProblem(url, this.#means);
  }

  /** Makes an endpoint, or changes its URL and what it is told of; the same again changes nothing. */
  async put(
    id: string,
    command: { readonly url: string; readonly eventTypes: readonly string[] } & By,
  ): Promise<EndpointChanged> {
    const { by, url, eventTypes } = command;
    const problem = this.urlProblem(url);
    if (problem !== undefined) return { kind: 'refused', reason: 'invalid-url', detail: problem };
    const secret = this.#newSecret();
    const at = this.#means.clock.now();
    let isNew = false;
    const changed = await this.#change(id, by, (state) => {
      isNew = state?.endpoints.has(id) !== true;
      return putEndpoint(state, { id, url, eventTypes, secret, at });
    });
    // A request that was cut off and comes again finds the endpoint, and rotates its secret to have one.
    return changed.kind === 'changed' && isNew ? { ...changed, secret } : changed;
  }

  async rotate(
    id: string,
    { by, keepOldMs = limits.oldSecretMs }: { readonly keepOldMs?: number } & By,
  ): Promise<EndpointChanged> {
    const secret = this.#newSecret();
    const at = this.#means.clock.now();
    const changed = await this.#change(id, by, (state) =>
      rotateSecret(state, { id, secret, oldUntil: at + keepOldMs, at }),
    );
    return changed.kind === 'changed' ? { ...changed, secret } : changed;
  }

  async switch(
    id: string,
    { by, enabled, reason }: { readonly enabled: boolean; readonly reason: string } & By,
  ): Promise<EndpointChanged> {
    const at = this.#means.clock.now();
    return this.#change(id, by, (state) => switchEndpoint(state, { id, enabled, reason, at }));
  }

  async remove(id: string, { by }: By): Promise<{ readonly kind: 'removed' } | Stopped> {
    const at = this.#means.clock.now();
    const changed = await this.#append(by, (state) => removeEndpoint(state, { id, at }));
    return changed.kind === 'changed' ? { kind: 'removed' } : changed;
  }

  /** Tells one delivery again. */
  async replay(endpointId: string, deliveryId: string, { by }: By): Promise<Replayed> {
    if (!(await this.endpoint(endpointId))) return unknownEndpoint(endpointId);
    const found = await this.deliveries.delivery(endpointId, deliveryId);
    if (found.kind === 'lost') return found;
    if (!found.delivery) return unknownDelivery(deliveryId);
    return this.#replayed([found.delivery], by, undefined);
  }

  /** Tells everything again that was queued at a time or later, a page at a time. */
  async replaySince(
    endpointId: string,
    command: {
      readonly since: number;
      readonly after?: DeliveryPlace;
      readonly limit?: number;
    } & By,
  ): Promise<Replayed> {
    const { since, after, by, limit = limits.pageDeliveriesMax } = command;
    if (!(await this.endpoint(endpointId))) return unknownEndpoint(endpointId);
    const page = await this.deliveries.deliveries({
      ...{ endpointId, since, limit },
      ...(after ? { after } : {}),
    });
    if (page.kind === 'lost') return page;
    return this.#replayed(page.deliveries, by, page.next);
  }

  async #replayed(
    deliveries: readonly { readonly deliveryId: string; readonly lane: string }[],
    by: string,
    next: DeliveryPlace | undefined,
  ): Promise<Replayed> {
    const { log, cipher, clock } = this.#means;
    for (const { deliveryId, lane } of deliveries) {
      const command = { deliveryId, by, at: clock.now() };
      const changed = await changeAndLoad({ log, cipher }, laneStreams, lane, ({ state }) =>
        requestReplay(state, command),
      );
      if (changed.kind !== 'changed') return changed;
    }
    return { kind: 'replayed', deliveries: deliveries.map((one) => one.deliveryId), next };
  }

  async #change(
    id: string,
    by: string,
    decide: (state: WebhookEndpoints | undefined) => Decided<EndpointEvent> | Refused,
  ): Promise<EndpointChanged> {
    const changed = await this.#append(by, decide);
    if (changed.kind !== 'changed') return changed;
    const endpoint = changed.state?.endpoints.get(id);
    // Removed by somebody else a moment later.
    return endpoint ? { kind: 'changed', endpoint } : unknownEndpoint(id);
  }

  #append(
    actor: string,
    decide: (state: WebhookEndpoints | undefined) => Decided<EndpointEvent> | Refused,
  ): Promise<Changed<WebhookEndpoints>> {
    const { log, cipher } = this.#means;
    const means = { log, cipher, actor };
    return changeAndLoad(means, endpointStreams, webhookEndpointsStream, ({ state }) =>
      decide(state),
    );
  }

  #newSecret(): string {
    return this.#means.secret?.() ?? newWebhookSecret();
  }
}
