import type { StoredEvent } from '@annals/event-log';
import { type DeadLetter, readDeadLetters } from '../dead-letters.ts';
import { decideAndAppend, readControl } from '../generations/control-stream.ts';
import {
  type Decision,
  decideDiscard,
  decideRetry,
  existing,
  type Refused,
  refused,
} from '../generations/decide.ts';
import { type Generation, liveGeneration, type ProjectionState } from '../generations/state.ts';
import { type Operation, pollMs, runShares, withGeneration } from './operation.ts';

export interface DeadLetterOptions extends Operation {
  /** The live one unless told. */
  readonly generation?: number | undefined;
}

export interface StreamDeadLetterOptions extends DeadLetterOptions {
  readonly stream: string;
}

export interface RetryOptions extends DeadLetterOptions {
  /** All parked streams unless told. */
  readonly stream?: string | undefined;
  /** How long to wait for a running projector to do it; 10,000 unless told. */
  readonly waitMs?: number | undefined;
}

export type DeadLettersListed =
  | {
      readonly kind: 'letters';
      readonly generation: number;
      /** By stream and revision: the first of each stream failed, those behind it wait. */
      readonly letters: readonly DeadLetter[];
    }
  | Refused;

export type DeadLettersShown =
  | {
      readonly kind: 'stream';
      readonly generation: number;
      readonly letters: readonly DeadLetter[];
      /** The event of the first letter, as stored: personal data in it stays sealed. */
      readonly event: StoredEvent;
    }
  | Refused;

export type DeadLettersWorkedOff =
  | {
      readonly kind: 'worked-off';
      readonly generation: number;
      readonly streams: readonly string[];
      /** What is still parked in these streams. */
      readonly remaining: readonly DeadLetter[];
      /** False when a projector holds the work and has not done it yet: it will. */
      readonly done: boolean;
    }
  | Refused;

const waitMsDefault = 10_000;

interface Parked {
  readonly kind: 'parked';
  readonly state: ProjectionState;
  readonly generation: Generation;
  readonly letters: readonly DeadLetter[];
}

export async function listDeadLetters(options: DeadLetterOptions): Promise<DeadLettersListed> {
  const parked = await parkedLetters(options);
  if (parked.kind === 'refused') return parked;
  const { generation, letters } = parked;
  return { kind: 'letters', generation: generation.generation, letters };
}

/** The letters of one stream, and the event that failed. */
export async function showDeadLetters(options: StreamDeadLetterOptions): Promise<DeadLettersShown> {
  const parked = await parkedLetters(options);
  if (parked.kind === 'refused') return parked;
  const letters = parked.letters.filter(({ stream }) => stream === options.stream);
  const first = letters[0];
  if (!first) return noLetter(options);
  const page = await options.log.readStream(first.stream, { from: first.revision, limit: 1 });
  const event = page.events[0];
  if (!event) throw new Error(`the log has no event ${first.stream}@${first.revision}`);
  return { kind: 'stream', generation: parked.generation.generation, letters, event };
}

/** Asks for parked events to be tried again in order; does it here when no projector holds the work. */
export async function retryDeadLetters(options: RetryOptions): Promise<DeadLettersWorkedOff> {
  const parked = await parkedLetters(options);
  if (parked.kind === 'refused') return parked;
  const all = [...new Set(parked.letters.map(({ stream }) => stream))];
  const streams = options.stream === undefined ? all : all.filter((one) => one === options.stream);
  if (options.stream !== undefined && streams.length === 0) {
    return noLetter({ ...options, stream: options.stream });
  }
  const { generation } = parked.generation;
  return workOff(options, parked, streams, (state) => decideRetry(state, generation, streams));
}

/** Gives up the first parked event of a stream, in every generation, and goes on with those behind it. */
export async function discardDeadLetter(
  options: StreamDeadLetterOptions & Pick<RetryOptions, 'waitMs'>,
): Promise<DeadLettersWorkedOff> {
  const parked = await parkedLetters(options);
  if (parked.kind === 'refused') return parked;
  const first = parked.letters.find(({ stream }) => stream === options.stream);
  if (!first) return noLetter(options);
  const { stream, revision, eventId } = first;
  const { generation } = parked.generation;
  const letter = { generation, stream, revision, event_id: eventId };
  return workOff(options, parked, [stream], (state) => decideDiscard(state, letter));
}

function noLetter({ projection, stream }: StreamDeadLetterOptions): Refused {
  const detail = `nothing of the stream ${stream} is parked in ${projection.name}`;
  return refused('no-such-letter', detail);
}

async function parkedLetters(options: DeadLetterOptions): Promise<Parked | Refused> {
  const { log, projection } = options;
  const { state } = await readControl(log, projection.name);
  const number = options.generation ?? liveGeneration(state);
  if (number === undefined) {
    return refused('not-live', `${projection.name} has no live generation`);
  }
  const generation = existing(state, number);
  if ('kind' in generation) return generation;
  const letters = await withGeneration(options, generation, (opened) => readDeadLetters(opened));
  if (letters !== 'lost') return { kind: 'parked', state, generation, letters };
  return refused('lost', `the store of ${projection.name} g${number} is lost: rebuild`);
}

async function workOff(
  options: RetryOptions,
  before: Parked,
  streams: readonly string[],
  decide: (state: ProjectionState) => Decision,
): Promise<DeadLettersWorkedOff> {
  const { projection, clock, signal, waitMs = waitMsDefault } = options;
  const decided = await decideAndAppend(options, projection.name, decide);
  if (decided.kind === 'refused') return decided;
  const { generation } = before;
  const named = { kind: 'worked-off', generation: generation.generation, streams } as const;
  const deadline = clock.now() + waitMs;
  for (;;) {
    const ranHere = await tryHere(options, generation, decided.state);
    const after = await parkedLetters(options);
    if (after.kind === 'refused') return after;
    const remaining = after.letters.filter(({ stream }) => streams.includes(stream));
    const done = ranHere || streams.every((stream) => hasMoved(stream, before, after));
    if (done || signal?.aborted || clock.now() >= deadline) return { ...named, remaining, done };
    await clock.sleep(pollMs, signal);
  }
}

/** Works the letters off in this process, unless a projector holds a lease or another version made them. */
async function tryHere(
  options: RetryOptions,
  generation: Generation,
  state: ProjectionState,
): Promise<boolean> {
  if (generation.version !== options.projection.version) return false;
  const { until } = generation;
  const { onFailure } = options.projection;
  const end = await runShares(options, { generation, state, until, onFailure });
  return end.kind === 'finished';
}

/** Whether a stream's first letter is another one, or was tried again. */
function hasMoved(stream: string, before: Parked, after: Parked): boolean {
  const was = before.letters.find((letter) => letter.stream === stream);
  const is = after.letters.find((letter) => letter.stream === stream);
  return was?.revision !== is?.revision || was?.attempts !== is?.attempts;
}
