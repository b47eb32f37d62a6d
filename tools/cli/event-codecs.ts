import type { SubjectCipher } from '@annals/core';
import { categoryOf, EventDecodeError, type StoredEvent } from '@annals/event-log';
import { digestCategory, digestEvents } from '@annals/event-log/digest';
import { apiKeyEvents } from '@annals/iam';
import { leaderboardEvents } from '@annals/leaderboard';
import { paymentsEvents } from '@annals/payments';
import { idempotencyCategory, idempotencyEvents } from '@annals/payments/idempotency';
import { deadLetterCategory, deadLetterEvents } from '@annals/payments/reactors';
import { statementEvents } from '@annals/payments/reconciliation';
import { denyListEvents, denyListStream } from '@annals/payments/risk';
import { dayMarkEvents, providerMarkEvents, pruneMarkEvents } from '@annals/payments/runtime';
import {
  endpointEvents,
  laneCategory,
  laneEvents,
  webhookEndpointsStream,
} from '@annals/payments/webhooks-out';
import { controlEventTypes, reactorEventTypes } from '@annals/projection';
import { siteEvents } from '@annals/projector';

interface Codec {
  readonly names: readonly string[];
  decode(events: readonly StoredEvent[], cipher: SubjectCipher): Promise<readonly unknown[]>;
}

/** What a whole log may hold: the codec of every product and of the platform itself. */
const codecs: readonly Codec[] = [
  leaderboardEvents,
  paymentsEvents,
  dayMarkEvents,
  providerMarkEvents,
  pruneMarkEvents,
  statementEvents,
  apiKeyEvents,
  controlEventTypes,
  reactorEventTypes,
  siteEvents,
];

/** Categories whose streams hold events of one codec only: types of other streams may have the same names. */
const codecOfCategory: ReadonlyMap<string, Codec> = new Map<string, Codec>([
  [digestCategory, digestEvents],
  [deadLetterCategory, deadLetterEvents],
  [idempotencyCategory, idempotencyEvents],
  [laneCategory, laneEvents],
  [categoryOf(denyListStream), denyListEvents],
  [categoryOf(webhookEndpointsStream), endpointEvents],
]);

const codecOf = new Map(
  codecs.flatMap((codec) => codec.names.map((name) => [name, codec] as const)),
);

/** The events that no reader could read, each with the reason; in order, `most` at most. */
export async function unreadable(
  events: readonly StoredEvent[],
  cipher: SubjectCipher,
  most: number,
): Promise<EventDecodeError[]> {
  const problems: EventDecodeError[] = [];
  const codecFor = ({ stream, type }: StoredEvent) =>
    codecOfCategory.get(categoryOf(stream)) ?? codecOf.get(type);
  for (const [codec, ofCodec] of Map.groupBy(events, codecFor)) {
    if (problems.length >= most) break;
    const left = most - problems.length;
    if (codec) problems.push(...(await unreadableBy(codec, ofCodec, cipher, left)));
    else problems.push(...ofCodec.slice(0, left).map(unknownType));
  }
  return problems;
}

function unknownType(event: StoredEvent): EventDecodeError {
  return new EventDecodeError('unknown-type', event, 'this program knows no such type');
}

/** Decodes all at once, and one by one only where that fails. */
async function unreadableBy(
  codec: Codec,
  events: readonly StoredEvent[],
  cipher: SubjectCipher,
  most: number,
): Promise<EventDecodeError[]> {
  if (!(await decodeProblem(codec, events, cipher))) return [];
  const problems: EventDecodeError[] = [];
  for (const event of events) {
    const problem = await decodeProblem(codec, [event], cipher);
    if (problem) problems.push(problem);
    if (problems.length >= most) break;
  }
  return problems;
}

async function decodeProblem(
  codec: Codec,
  events: readonly StoredEvent[],
  cipher: SubjectCipher,
): Promise<EventDecodeError | undefined> {
  try {
    await codec.decode(events, cipher);
    return undefined;
  } catch (error) {
    if (error instanceof EventDecodeError) return error;
    throw error;
  }
}
