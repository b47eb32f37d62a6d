import { idFromKey } from '@annals/core';
import { type MemoryEventLog, memoryEventLog } from '@annals/event-log';
import type { History, HistoryStep } from '@annals/projection/contract';
import type { SeededRandom, VirtualClock } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { changeStream } from '../change.ts';
import { laneStream } from '../webhooks-out/events.ts';
import {
  type Lane,
  laneStreams,
  nextDelivery,
  queueDelivery,
  recordAttempt,
  requestReplay,
  skipDelivery,
} from '../webhooks-out/lane.ts';

export const sampleEndpoints = ['shop-hook', 'audit-hook'] as const;

/** One more thing that happens to a lane: something is queued, tried, skipped, or asked for again. */
function laneMove(random: SeededRandom, endpointId: string, stream: string, at: number) {
  return (lane: Lane | undefined) => {
    const next = nextDelivery(lane);
    const revision = lane?.deliveries.size ?? 0;
    const roll = random.int(0, 9);
    if (!next && roll > 6 && revision > 0) {
      const deliveryId = random.pick([...(lane?.deliveries.keys() ?? [])]);
      return requestReplay(lane, { deliveryId, by: 'key-1', at });
    }
    if (!next || roll < 3) {
      const event = { id: idFromKey('sample', stream, String(revision)), stream, revision };
      const skip = random.chance(10) ? { skip: 'the endpoint was off' } : {};
      return queueDelivery(lane, { endpointId, event, type: 'refund.failed', at, ...skip });
    }
    const deliveryId = next.id;
    if (roll === 3) return skipDelivery(lane, { deliveryId, reason: 'off', at });
    const tried = { deliveryId, after: next.attempts, at };
    if (roll < 6) return recordAttempt(lane, { ...tried, outcome: 'delivered', detail: '' });
    const failed = { ...tried, outcome: 'failed', status: 500, detail: 'broken' } as const;
    const retryAt = at + random.int(1, 90_000);
    return recordAttempt(lane, random.chance(70) ? { ...failed, retryAt } : failed);
  };
}

/** A log of deliveries to a few endpoints, as the decisions about lanes made it; `step` lets time pass before each. */
export async function sampleDeliveries(
  random: SeededRandom,
  {
    start,
    moves,
    log,
  }: { readonly start: number; readonly moves: number; readonly log: MemoryEventLog },
): Promise<number> {
  const cipher = subjectCipher(memorySubjectKeyStore());
  let at = start;
  for (let move = 0; move < moves; move += 1) {
    at += random.int(0, 60_000);
    const endpoint = random.pick(sampleEndpoints);
    const stream = `checkout-c-${random.int(1, 5)}`;
    const decide = laneMove(random, endpoint, stream, at);
    await changeStream({ log, cipher }, laneStreams, laneStream(endpoint, stream), ({ state }) =>
      decide(state),
    );
  }
  return at;
}

/** For `describeRebuildEqualsLive`. */
export async function webhooksHistory(random: SeededRandom, clock: VirtualClock): Promise<History> {
  const log = memoryEventLog();
  await sampleDeliveries(random, { start: clock.now(), moves: 200, log });
  const { events } = await log.read('start');
  const steps = events.map(({ stream, ...event }): HistoryStep => {
    const { id, type, schemaVersion, data, contentHash, metadata, occurredAt } = event;
    return {
      stream,
      events: [{ id, type, schemaVersion, data, contentHash, metadata, occurredAt }],
    };
  });
  return { cipher: subjectCipher(memorySubjectKeyStore()), steps };
}
