import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { AnyRecordedEvent, Performed, Reactor } from '@annals/projection';
import { changeStream } from '../change.ts';
import { paymentsEvents } from '../events.ts';
import { checkoutCategory, sellerCategory } from '../streams.ts';
import { EndpointDirectory, isSubscribed } from './endpoints.ts';
import { laneStream } from './events.ts';
import { laneStreams, queueDelivery } from './lane.ts';
import { webhookTypeOf } from './webhook-table.ts';

export interface WebhookQueueOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
}

export const webhookQueueName = 'webhook-queue';

/** Whom an event is to be told, as it stood when the event was read. */
interface Told {
  readonly type: string;
  readonly to: readonly { readonly id: string; readonly enabled: boolean }[];
}

type ToldEvent = AnyRecordedEvent & { readonly told?: Told };

/**
 * Writes down what is to be told to whom: one delivery for each endpoint that wants the event. It calls nobody, so
 * nothing that an endpoint does can hold it up, and doing it twice changes nothing.
 */
export function webhookQueue({ log, cipher, clock }: WebhookQueueOptions): Reactor {
  const directory = new EndpointDirectory(log, cipher);
  const perform = ({ event }: { readonly event: AnyRecordedEvent }) =>
    queue({ log, cipher, clock }, event as ToldEvent);
  return {
    name: webhookQueueName,
    categories: [checkoutCategory, sellerCategory],
    concurrencyMax: 64,
    // Nothing is sent to anybody: another process may begin at once.
    callWithinMs: 0,
    decode: async (stored) => {
      const endpoints = [...(await directory.load()).values()];
      const events = await paymentsEvents.decode(stored, cipher);
      return events.map((event) => {
        const type = webhookTypeOf(event);
        const to = type ? endpoints.filter((one) => isSubscribed(one, type, event.recordedAt)) : [];
        const told = type !== undefined && to.length > 0 ? { told: { type, to } } : {};
        return { ...event, ...told } as unknown as AnyRecordedEvent;
      });
    },
    wants: (event) => (event as ToldEvent).told !== undefined,
    perform,
    lookUp: async (call) => {
      const performed = await perform(call);
      return performed.kind === 'done' ? performed : { kind: 'unclear', reason: performed.reason };
    },
  };
}

async function queue(
  { log, cipher, clock }: WebhookQueueOptions,
  event: ToldEvent,
): Promise<Performed> {
  const { type, to } = event.told ?? { type: '', to: [] };
  const { id, stream, revision } = event;
  for (const endpoint of to) {
    const command = {
      ...{ endpointId: endpoint.id, event: { id, stream, revision }, type, at: clock.now() },
      ...(endpoint.enabled ? {} : { skip: 'the endpoint was off' }),
    };
    const lane = laneStream(endpoint.id, stream);
    const done = await changeStream({ log, cipher }, laneStreams, lane, ({ state }) =>
      queueDelivery(state, command),
    );
    if (done.kind !== 'carried') return { kind: 'retry', reason: done.kind };
  }
  return { kind: 'done', result: { queued: to.length } };
}
