import type { SubjectCipher } from '@annals/core';
import {
  type AppendResult,
  type Checkpoint,
  type DomainEvent,
  type EventLog,
  type EventType,
  type EventTypes,
  type Expected,
  encodeCheckpoint,
  type NewEvent,
  type RecordedEvent,
} from '@annals/event-log';
import { type Decided, type Refused, refused } from './outcome.ts';

export interface ChangeMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
}

export const changeLimits = {
  /** Decisions made again because somebody else was quicker, and appends sent again while nobody knows their outcome. */
  attemptsMax: 16,
  /** Events read at once of one stream. */
  pageEvents: 1_000,
} as const;

/** A kind of stream, and how its events are folded. */
// biome-ignore lint/suspicious/noExplicitAny: EventType is invariant in its schema; this is "any of them".
export interface StreamKind<State, T extends EventType<string, any, any>> {
  readonly types: EventTypes<T>;
  readonly evolve: (state: State | undefined, event: RecordedEvent<T>) => State | undefined;
}

/** A stream as it is now. */
export interface Loaded<State> {
  readonly state: State | undefined;
  /** -1 for a stream that is not there. */
  readonly revision: number;
  /** Covers the stream's last event; `{}` for a stream that is not there. */
  readonly checkpoint: Checkpoint;
}

export type Changed<State> =
  | {
      readonly kind: 'changed';
      readonly state: State | undefined;
      /** How many events were stored; none where it was so already. */
      readonly events: number;
      /** Covers what was stored, as text. */
      readonly position: string;
    }
  | Refused
  /** Nothing was stored; the same may be asked again in a moment. */
  | { readonly kind: 'overloaded' }
  /** It may or may not be stored: safe to ask again, and right to. */
  | { readonly kind: 'unknown'; readonly detail: string };

// biome-ignore lint/suspicious/noExplicitAny: as above.
type AnyType = EventType<string, any, any>;

export async function loadStream<State, T extends AnyType>(
  { log, cipher }: ChangeMeans,
  kind: StreamKind<State, T>,
  stream: string,
): Promise<Loaded<State>> {
  let state: State | undefined;
  let revision = -1;
  let checkpoint: Checkpoint = {};
  for (;;) {
    const page = await log.readStream(stream, {
      from: revision + 1,
      limit: changeLimits.pageEvents,
    });
    for (const event of await kind.types.decode(page.events, cipher)) {
      state = kind.evolve(state, event);
      revision = event.revision;
      checkpoint = { [event.partition]: event.position };
    }
    if (page.head === 'no-stream' || revision >= page.head) return { state, revision, checkpoint };
  }
}

/**
 * Reads a stream, decides, and appends at the revision that was read. Where somebody else was quicker it decides again on
 * the new state; where nobody knows whether the events are stored it sends the same ones again.
 */
export async function changeStream<State, T extends AnyType>(
  means: ChangeMeans,
  kind: StreamKind<State, T>,
  stream: string,
  decide: (
    loaded: Loaded<State>,
  ) => Promise<Decided<DomainEvent<T>> | Refused> | Decided<DomainEvent<T>> | Refused,
): Promise<Changed<State>> {
  for (let attempt = 1; attempt <= changeLimits.attemptsMax; attempt += 1) {
    const loaded = await loadStream(means, kind, stream);
    const decision = await decide(loaded);
    if (decision.kind === 'refused') return decision;
    const { events } = decision;
    if (events.length === 0) {
      const { state, checkpoint } = loaded;
      return { kind: 'changed', state, events: 0, position: encodeCheckpoint(checkpoint) };
    }
    const encoded = await kind.types.encode(events, means.cipher);
    if (encoded.kind === 'subject-erased') {
      return refused('subject-erased', `${encoded.subject} was erased`);
    }
    const expected = loaded.revision < 0 ? 'no-stream' : loaded.revision;
    const result = await appendOnce(means.log, stream, encoded.events, expected);
    if (result.kind === 'stored') {
      const { state } = await loadStream(means, kind, stream);
      const position = encodeCheckpoint({ [result.partition]: result.position });
      return { kind: 'changed', state, events: events.length, position };
    }
    if (result.kind === 'unknown') return result;
    if (result.kind === 'refused' && result.reason === 'overloaded') return { kind: 'overloaded' };
    if (result.kind === 'refused') throw new Error(`${stream}: ${result.reason}, ${result.detail}`);
  }
  return { kind: 'overloaded' };
}

async function appendOnce(
  log: ChangeMeans['log'],
  stream: string,
  events: readonly NewEvent[],
  expected: Expected,
): Promise<AppendResult> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await log.append(stream, events, { expected });
    if (result.kind !== 'unknown' || attempt === changeLimits.attemptsMax) return result;
  }
}
