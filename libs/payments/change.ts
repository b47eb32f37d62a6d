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
  isPassing,
  type Metadata,
  type NewEvent,
  type RecordedEvent,
} from '@annals/event-log';
import { entryProblem } from './journal.ts';
import { type Decided, type Refused, refused } from './outcome.ts';

export interface ChangeMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  /** Who asks, as the audit log names them: the id of a key. */
  readonly actor?: string;
}

type ReadMeans = Pick<ChangeMeans, 'cipher'> & {
  readonly log: Pick<EventLog, 'readStream'>;
};

export const changeLimits = {
  /** Decisions made again because somebody else was quicker. */
  decisionsMax: 50,
  /** Appends sent while nobody knows their outcome. */
  sendsMax: 16,
  /** Events read at once of one stream. */
  pageEvents: 1_000,
  /** Streams whose fold is kept. */
  foldsMax: 1_000,
} as const;

// biome-ignore lint/suspicious/noExplicitAny: EventType is invariant in its schema; this is "any of them".
export type StreamEventType = EventType<string, any, any>;

/** A kind of stream, and how its events are folded. */
export interface StreamKind<State, T extends StreamEventType> {
  readonly types: EventTypes<T>;
  readonly evolve: (state: State | undefined, event: RecordedEvent<T>) => State | undefined;
  /** Whether `evolve` looks at nothing but types and data: then what was stored is folded without being read again. */
  readonly ofFacts?: true;
}

/** A stream as it is now. */
export interface Loaded<State> {
  readonly state: State | undefined;
  /** -1 for a stream that is not there. */
  readonly revision: number;
  /** Covers the stream's last event; `{}` for a stream that is not there. */
  readonly checkpoint: Checkpoint;
}

/** Why the log did not take what was decided. */
export type NotStored =
  /** Nothing was stored; the same may be asked again in a moment. */
  | { readonly kind: 'overloaded'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }
  /** It may or may not be stored: safe to ask again, and right to. */
  | { readonly kind: 'unknown'; readonly detail: string };

/** What was decided cannot be written: somebody was erased, or an event would book what does not add up. */
export type NotWritten = Refused<'subject-erased'> | Refused<'unbalanced-entry'>;

/** What a command comes to. */
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
  | NotStored;

/** A decision that the stream now holds. */
export interface Carried<State, Event = unknown> {
  readonly kind: 'carried';
  /** What it was decided on. */
  readonly before: Loaded<State>;
  /** The events that were decided; none where it was so already. */
  readonly events: readonly Event[];
  /** They were there before: somebody else decided the same. */
  readonly duplicate: boolean;
  readonly revision: number;
  /** Covers the events. */
  readonly checkpoint: Checkpoint;
}

/** Reads a stream, from where `from` ends where that is given. */
export async function loadStream<State, T extends StreamEventType>(
  { log, cipher }: ReadMeans,
  kind: StreamKind<State, T>,
  stream: string,
  from: Loaded<State> = { state: undefined, revision: -1, checkpoint: {} },
): Promise<Loaded<State>> {
  let { state, revision, checkpoint } = from;
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
 * Folds of the streams that were looked at last, so that the next look reads only what is new. Not for plaintext of personal
 * data. What is kept may be behind the log: who decides on it lets the append find out.
 */
export class KeptFolds<State> {
  readonly #folds = new Map<string, Loaded<State>>();

  async load<T extends StreamEventType>(
    means: ReadMeans,
    kind: StreamKind<State, T>,
    stream: string,
  ): Promise<Loaded<State>> {
    const loaded = await loadStream(means, kind, stream, this.#folds.get(stream));
    this.keep(stream, loaded);
    return loaded;
  }

  /** The stream as it was seen last. */
  kept(stream: string): Loaded<State> | undefined {
    return this.#folds.get(stream);
  }

  /** The stream as it was seen just now; what was seen of it later already stays. */
  keep(stream: string, loaded: Loaded<State>): void {
    const known = this.#folds.get(stream);
    const newest = known && known.revision > loaded.revision ? known : loaded;
    this.#folds.delete(stream);
    this.#folds.set(stream, newest);
    const [oldest] = this.#folds.keys();
    if (this.#folds.size > changeLimits.foldsMax && oldest !== undefined) {
      this.#folds.delete(oldest);
    }
  }
}

export interface ChangeOptions<State> {
  readonly folds?: KeptFolds<State>;
  /** What the caller takes the stream to be: decided on first, without a look. The append finds out whether it is so. */
  readonly known?: Loaded<State>;
}

/**
 * Reads a stream, decides, and appends at the revision that was read. Where somebody else was quicker it decides again on
 * the new state; where nobody knows whether the events are stored it sends the same ones again. What `decide` answers
 * instead of a decision comes back as it is. Each event that books something has an entry whose debits and credits are equal, or
 * nothing is stored: this is the one place where streams that hold money are written.
 */
export async function changeStream<
  State,
  T extends StreamEventType,
  Other extends { readonly kind: string },
>(
  means: ChangeMeans,
  kind: StreamKind<State, T>,
  stream: string,
  decide: (
    loaded: Loaded<State>,
  ) => Promise<Decided<DomainEvent<T>> | Other> | Decided<DomainEvent<T>> | Other,
  { folds, known }: ChangeOptions<State> = {},
): Promise<Carried<State, DomainEvent<T>> | NotWritten | NotStored | Other> {
  for (let decision = 1; decision <= changeLimits.decisionsMax; decision += 1) {
    const before =
      decision === 1 && known !== undefined
        ? known
        : await (folds?.load(means, kind, stream) ?? loadStream(means, kind, stream));
    const made = await decide(before);
    if (!isDecided<T, Other>(made)) return made;
    const { events } = made;
    const { revision, checkpoint } = before;
    if (events.length === 0) {
      return { kind: 'carried', before, events, duplicate: false, revision, checkpoint };
    }
    const problem = entryProblem(events);
    if (problem !== undefined) return refused('unbalanced-entry', `${stream}: ${problem}`);
    const encoded = await kind.types.encode(signedBy(means.actor, events), means.cipher);
    if (encoded.kind === 'subject-erased') {
      return refused('subject-erased', `${encoded.subject} was erased`);
    }
    const expected = revision < 0 ? 'no-stream' : revision;
    const result = await appendOnce(means.log, stream, encoded.events, expected);
    if (result.kind === 'stored') {
      return { kind: 'carried', before, events, ...placeOf(result) };
    }
    const answer = notStored(stream, result);
    if (answer) return answer;
    // All that is left says that somebody else was quicker: another head, or an id that is there with another time in it.
  }
  return { kind: 'overloaded', detail: `others write ${stream} all the time` };
}

function placeOf(result: Extract<AppendResult, { kind: 'stored' }>) {
  const { duplicate, revision, partition, position } = result;
  return { duplicate, revision, checkpoint: { [partition]: position } };
}

function notStored(stream: string, result: AppendResult): NotStored | undefined {
  if (result.kind === 'unknown') return { kind: 'unknown', detail: result.detail };
  if (result.kind !== 'refused') return undefined;
  const { reason, detail } = result;
  if (isPassing(reason)) return { kind: reason, detail };
  throw new Error(`${stream}: ${reason}, ${detail}`);
}

/** Changes a stream, and says what it is then. */
export async function changeAndLoad<State, T extends StreamEventType>(
  means: ChangeMeans,
  kind: StreamKind<State, T>,
  stream: string,
  decide: (
    loaded: Loaded<State>,
  ) => Promise<Decided<DomainEvent<T>> | Refused> | Decided<DomainEvent<T>> | Refused,
): Promise<Changed<State>> {
  const done = await changeStream(means, kind, stream, decide);
  if (done.kind !== 'carried') return done;
  const { events, checkpoint } = done;
  const state = await stateAfter(means, kind, stream, done);
  return { kind: 'changed', state, events: events.length, position: encodeCheckpoint(checkpoint) };
}

async function stateAfter<State, T extends StreamEventType>(
  means: ReadMeans,
  kind: StreamKind<State, T>,
  stream: string,
  { before, events, duplicate }: Carried<State, DomainEvent<T>>,
): Promise<State | undefined> {
  if (events.length === 0) return before.state;
  if (!kind.ofFacts || duplicate) return (await loadStream(means, kind, stream, before)).state;
  return events.reduce<State | undefined>(
    (state, event) => kind.evolve(state, event as unknown as RecordedEvent<T>),
    before.state,
  );
}

function isDecided<T extends StreamEventType, Other extends { readonly kind: string }>(
  made: Decided<DomainEvent<T>> | Other,
): made is Decided<DomainEvent<T>> {
  return made.kind === 'decided';
}

/** The same events with who asked for them; what is said by an event itself stands. */
function signedBy<Event extends { readonly metadata?: Metadata }>(
  actor: string | undefined,
  events: readonly Event[],
): readonly Event[] {
  if (actor === undefined) return events;
  return events.map((event) => ({ ...event, metadata: { actor, ...event.metadata } }));
}

async function appendOnce(
  log: ChangeMeans['log'],
  stream: string,
  events: readonly NewEvent[],
  expected: Expected,
): Promise<AppendResult> {
  for (let send = 1; ; send += 1) {
    const result = await log.append(stream, events, { expected });
    if (result.kind !== 'unknown' || send === changeLimits.sendsMax) return result;
  }
}
