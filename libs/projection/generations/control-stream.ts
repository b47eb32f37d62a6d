import { type Clock, idFromKey } from '@annals/core';
import {
  type DomainEvent,
  type EventLog,
  type Expected,
  isPassing,
  type NewEvent,
  type Revision,
} from '@annals/event-log';
import type { ControlEvent, Decision, Refused } from './decide.ts';
import {
  type ControlEventType,
  controlEventTypes,
  controlStream,
  noPersonalData,
} from './events.ts';
import { emptyState, evolve, type ProjectionState } from './state.ts';

const pageEvents = 1_000;
const attemptsMax = 50;
const retryAfterMs = 100;

/** The control stream could not be written for reasons that lie with the log. */
export class ControlStreamError extends Error {
  readonly code = 'control-stream';
  constructor(projection: string, detail: string) {
    super(`the control stream of ${projection} could not be written: ${detail}`);
    this.name = 'ControlStreamError';
  }
}

export interface ControlStream {
  readonly state: ProjectionState;
  readonly head: Revision | 'no-stream';
}

export async function readControl(log: EventLog, projection: string): Promise<ControlStream> {
  let state = emptyState(projection);
  let from = 0;
  for (;;) {
    const page = await log.readStream(controlStream(projection), { from, limit: pageEvents });
    const events = await controlEventTypes.decode(page.events, noPersonalData);
    state = events.reduce(evolve, state);
    from += events.length;
    if (page.head === 'no-stream' || from > page.head) return { state, head: page.head };
    if (events.length === 0) throw new ControlStreamError(projection, 'a page came back empty');
  }
}

export type Decided =
  | {
      readonly kind: 'decided';
      readonly state: ProjectionState;
      readonly events: readonly ControlEvent[];
    }
  | Refused;

interface ControlAccess {
  readonly log: EventLog;
  readonly clock: Clock;
}

/**
 * Decides on the newest state and appends at the revision it was decided on; decides again when
 * somebody else was faster. Throws ControlStreamError when the log does not take it.
 */
export async function decideAndAppend(
  { log, clock }: ControlAccess,
  projection: string,
  decide: (state: ProjectionState) => Decision,
): Promise<Decided> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const { state, head } = await readControl(log, projection);
    const decision = decide(state);
    if (decision.kind === 'refused') return decision;
    if (decision.events.length === 0) return { kind: 'decided', state, events: [] };
    const events = decision.events.map((event, index) =>
      withId(event, projection, head === 'no-stream' ? index : head + 1 + index, clock.now()),
    );
    const encoded = await controlEventTypes.encode(events, noPersonalData);
    if (encoded.kind !== 'encoded') throw new ControlStreamError(projection, encoded.kind);
    if ((await appendSettled({ log, clock }, projection, encoded.events, head)) === 'stored') {
      const { state: now } = await readControl(log, projection);
      return { kind: 'decided', state: now, events: decision.events };
    }
  }
  throw new ControlStreamError(projection, `${attemptsMax} conflicts one after the other`);
}

/** Sends one append, with the same ids, until the log says what became of it. */
async function appendSettled(
  { log, clock }: ControlAccess,
  projection: string,
  events: readonly NewEvent[],
  expected: Expected,
): Promise<'stored' | 'conflict'> {
  let trouble = '';
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const result = await log.append(controlStream(projection), events, { expected });
    if (result.kind === 'stored') return 'stored';
    // Others at the same revision give their events the same ids, so a mismatch is a conflict too.
    if (result.kind !== 'unknown' && result.kind !== 'refused') return 'conflict';
    if (result.kind === 'refused' && !isPassing(result.reason)) {
      throw new ControlStreamError(projection, result.detail);
    }
    trouble = result.detail;
    await clock.sleep(retryAfterMs);
  }
  throw new ControlStreamError(projection, `${attemptsMax} attempts, the last one: ${trouble}`);
}

/**
 * The id of a control event is its place, so that an append that is sent again is the same append. A
 * generation brings an id of its own, which no other log has.
 */
function withId(
  event: ControlEvent,
  projection: string,
  revision: number,
  occurredAt: number,
): DomainEvent<ControlEventType> {
  const id =
    'id' in event ? event.id : idFromKey('projection', projection, event.type, String(revision));
  return { ...event, id, occurredAt };
}
