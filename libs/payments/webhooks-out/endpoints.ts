import { idFromKey, type SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { StreamKind } from '../change.ts';
import { type Decided, decided, type Refused, refused } from '../outcome.ts';
import {
  type EndpointEvent,
  type EndpointEventType,
  endpointEvents,
  type RecordedEndpointEvent,
  webhookEndpointsStream,
} from './events.ts';
import { webhookLimits as limits } from './limits.ts';
import { everyWebhookType, webhookTypes } from './webhook-table.ts';

export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  readonly eventTypes: readonly string[];
  readonly enabled: boolean;
  /** Why it was switched on or off the last time; empty before that. */
  readonly switchedBecause: string;
  /** When it was made, as the log recorded it: it is told of nothing before. */
  readonly since: number;
  /** The last one first, two at most. None where its key was destroyed. */
  readonly secrets: readonly { readonly secret: string; readonly until: number | undefined }[];
}

/** All endpoints by id, and how many events there were: what tells the next one from the last. */
export interface WebhookEndpoints {
  readonly endpoints: ReadonlyMap<string, WebhookEndpoint>;
  readonly events: number;
}

const none: WebhookEndpoints = { endpoints: new Map(), events: 0 };

export const endpointStreams: StreamKind<WebhookEndpoints, EndpointEventType> = {
  types: endpointEvents,
  evolve: (state, event) => evolveEndpoints(state, event),
};

export function evolveEndpoints(
  state: WebhookEndpoints = none,
  event: RecordedEndpointEvent,
): WebhookEndpoints {
  const endpoints = new Map(state.endpoints);
  const id = event.data.endpoint_id;
  const before = endpoints.get(id);
  if (event.type === 'webhook-endpoint-removed') endpoints.delete(id);
  else endpoints.set(id, evolveEndpoint(before, event));
  return { endpoints, events: state.events + 1 };
}

function evolveEndpoint(
  before: WebhookEndpoint | undefined,
  event: Exclude<RecordedEndpointEvent, { readonly type: 'webhook-endpoint-removed' }>,
): WebhookEndpoint {
  if (event.type === 'webhook-endpoint-put') {
    const { endpoint_id: id, url, event_types: eventTypes } = event.data;
    if (before) return { ...before, url, eventTypes };
    const fresh = { enabled: true, switchedBecause: '', since: event.recordedAt, secrets: [] };
    return { id, url, eventTypes, ...fresh };
  }
  if (!before) throw new TypeError(`${event.type} before webhook-endpoint-put`);
  if (event.type === 'webhook-endpoint-switched') {
    const { enabled, reason: switchedBecause } = event.data;
    return { ...before, enabled, switchedBecause };
  }
  const { secret, old_until } = event.data;
  const old = before.secrets.slice(0, 1).map((one) => ({ ...one, until: old_until }));
  return {
    ...before,
    secrets: [...(secret === undefined ? [] : [{ secret, until: undefined }]), ...old],
  };
}

/** The secrets that sign at a time. */
export function liveSecrets({ secrets }: WebhookEndpoint, at: number): readonly string[] {
  return secrets.flatMap(({ secret, until }) =>
    until === undefined || at < until ? [secret] : [],
  );
}

/** Whether an endpoint is to be told of an event of this type that was recorded then. */
export function isSubscribed(
  { eventTypes, since }: WebhookEndpoint,
  type: string,
  recordedAt: number,
): boolean {
  if (recordedAt < since) return false;
  return eventTypes.includes(everyWebhookType) || eventTypes.includes(type);
}

type Decision = Decided<EndpointEvent> | Refused;

export interface PutEndpoint {
  readonly id: string;
  readonly url: string;
  readonly eventTypes: readonly string[];
  /** For an endpoint that is not there yet. */
  readonly secret: string;
  readonly at: number;
}

/** Makes an endpoint, or changes its URL and what it is told of. */
export function putEndpoint(state: WebhookEndpoints = none, command: PutEndpoint): Decision {
  const { id, url, secret, at } = command;
  const unknown = command.eventTypes.find(
    (type) => type !== everyWebhookType && !webhookTypes.includes(type),
  );
  if (unknown !== undefined) {
    return refused('unknown-event-type', `there is no event type ${unknown.slice(0, 64)}`);
  }
  const eventTypes = [...new Set(command.eventTypes)].toSorted();
  const known = state.endpoints.get(id);
  const put = event(state, 'webhook-endpoint-put', at, {
    ...{ endpoint_id: id, url, event_types: eventTypes },
  });
  if (known) {
    const isSame = known.url === url && known.eventTypes.join() === eventTypes.join();
    return isSame ? decided() : decided(put);
  }
  if (state.endpoints.size >= limits.endpointsMax) {
    return refused('too-many-endpoints', `at most ${limits.endpointsMax} endpoints`);
  }
  const data = { endpoint_id: id, secret, old_until: at };
  return decided(put, event(state, 'webhook-secret-set', at, data));
}

/** Signs with another secret from now on, and with the last one too until `oldUntil`. */
export function rotateSecret(
  state: WebhookEndpoints = none,
  command: {
    readonly id: string;
    readonly secret: string;
    readonly oldUntil: number;
    readonly at: number;
  },
): Decision {
  const { id, secret, oldUntil, at } = command;
  if (!state.endpoints.has(id)) return unknownEndpoint(id);
  const data = { endpoint_id: id, secret, old_until: oldUntil };
  return decided(event(state, 'webhook-secret-set', at, data));
}

export function switchEndpoint(
  state: WebhookEndpoints = none,
  command: {
    readonly id: string;
    readonly enabled: boolean;
    readonly reason: string;
    readonly at: number;
  },
): Decision {
  const { id, enabled, reason, at } = command;
  const endpoint = state.endpoints.get(id);
  if (!endpoint) return unknownEndpoint(id);
  if (endpoint.enabled === enabled) return decided();
  const data = { endpoint_id: id, enabled, reason };
  return decided(event(state, 'webhook-endpoint-switched', at, data));
}

/** What is under way is not sent any more; the delivery log stays. */
export function removeEndpoint(
  state: WebhookEndpoints = none,
  { id, at }: { readonly id: string; readonly at: number },
): Decision {
  if (!state.endpoints.has(id)) return unknownEndpoint(id);
  return decided(event(state, 'webhook-endpoint-removed', at, { endpoint_id: id }));
}

export function unknownEndpoint(id: string): Refused<'unknown-endpoint'> {
  return refused('unknown-endpoint', `there is no webhook endpoint ${id}`);
}

function event(
  { events }: WebhookEndpoints,
  type: EndpointEvent['type'],
  at: number,
  data: { readonly endpoint_id: string; readonly [member: string]: unknown },
): EndpointEvent {
  const id = idFromKey(type, data.endpoint_id, String(events));
  return { type, id, occurredAt: at, data } as EndpointEvent;
}

/** The endpoints for readers that ask all the time: only what is new is read. */
export class EndpointDirectory {
  readonly #log: Pick<EventLog, 'readStream'>;
  readonly #cipher: SubjectCipher;
  #state: WebhookEndpoints = none;

  constructor(log: Pick<EventLog, 'readStream'>, cipher: SubjectCipher) {
    this.#log = log;
    this.#cipher = cipher;
  }

  async load(): Promise<ReadonlyMap<string, WebhookEndpoint>> {
    for (;;) {
      const from = this.#state.events;
      const page = await this.#log.readStream(webhookEndpointsStream, { from });
      if (page.events.length === 0) return this.#state.endpoints;
      const events = await endpointEvents.decode(page.events, this.#cipher);
      // Another call may have read the same meanwhile: it came to the same.
      this.#state = events.reduce(
        (state, one) => (one.revision < state.events ? state : evolveEndpoints(state, one)),
        this.#state,
      );
    }
  }
}
