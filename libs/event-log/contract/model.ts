import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AppendResult, EventLog, Expected, NewEvent } from '../port.ts';
import { readWholeStream } from './reading.ts';
import { sampleEvent, sampleId } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

/** One event of a command: an id of a small pool, so that resends and mix-ups are common. */
interface CommandEvent {
  readonly id: number;
  readonly points: number;
  readonly nonce: number;
}

interface Command {
  readonly stream: number;
  readonly expected: Expected;
  readonly events: readonly CommandEvent[];
}

/** A resend picks an earlier command, and may change what must not matter: nonce and `expected`. */
interface Resend {
  readonly resendOf: number;
  readonly nonce: number;
  readonly expected: Expected;
}

const expectedForms = fc.oneof(
  fc.constantFrom<Expected>('any', 'any', 'no-stream', 'exists'),
  fc.nat({ max: 8 }),
);

const commands = fc.array(
  fc.oneof<[fc.Arbitrary<Command>, fc.Arbitrary<Resend>]>(
    fc.record({
      stream: fc.nat({ max: 1 }),
      expected: expectedForms,
      events: fc.array(
        fc.record({
          id: fc.nat({ max: 11 }),
          points: fc.constantFrom(1, 1, 1, 2),
          nonce: fc.nat({ max: 9 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    fc.record({
      resendOf: fc.nat({ max: 20 }),
      nonce: fc.nat({ max: 9 }),
      expected: expectedForms,
    }),
  ),
  { minLength: 1, maxLength: 20 },
);

interface ModelEvent {
  readonly id: number;
  readonly points: number;
  readonly append: number;
}

type ModelResult =
  | { readonly kind: 'stored'; readonly revision: number; readonly duplicate: boolean }
  | Exclude<AppendResult, { kind: 'stored' | 'refused' | 'unknown' }>
  | { readonly kind: 'refused'; readonly reason: 'invalid-event' };

/** The rules of design.md §2 in the plainest words: search a list. */
function applyToModel(
  stream: ModelEvent[],
  { events, expected }: Command,
  append: number,
  idOf: (id: number) => string,
): ModelResult {
  if (new Set(events.map((event) => event.id)).size < events.length) {
    return { kind: 'refused', reason: 'invalid-event' };
  }
  const places = events.map((event) => stream.findIndex((one) => one.id === event.id));
  for (const [index, place] of places.entries()) {
    if (place >= 0 && stream[place]!.points !== events[index]!.points) {
      return { kind: 'content-mismatch', id: idOf(events[index]!.id), revision: place };
    }
  }
  const known = events.filter((_, index) => places[index]! >= 0).map((event) => idOf(event.id));
  if (known.length > 0) {
    const runs = places.every((place, index) => place >= 0 && place === places[0]! + index);
    return runs
      ? { kind: 'stored', revision: places.at(-1)!, duplicate: true }
      : { kind: 'partial-duplicate', known };
  }
  const actual = stream.length === 0 ? 'no-stream' : stream.length - 1;
  const met = {
    any: true,
    'no-stream': stream.length === 0,
    exists: stream.length > 0,
  }[expected as string];
  if (!(met ?? expected === actual)) return { kind: 'conflict', expected, actual };
  stream.push(...events.map(({ id, points }) => ({ id, points, append })));
  return { kind: 'stored', revision: stream.length - 1, duplicate: false };
}

/** Runs one history in streams of its own, and compares every answer and the streams at the end. */
async function runHistory(
  log: EventLog,
  run: number,
  history: readonly (Command | Resend)[],
): Promise<void> {
  const sent: Command[] = [];
  const model: [ModelEvent[], ModelEvent[]] = [[], []];
  const idOf = (id: number) => sampleId('model', run, id);
  for (const [append, step] of history.entries()) {
    const command = 'events' in step ? step : resend(step, sent);
    if (!command) continue;
    sent.push(command);
    const expected = applyToModel(model[command.stream as 0 | 1], command, append, idOf);
    const events = command.events.map((event) => newEvent(event, idOf));
    const options = { expected: command.expected };
    const result = await log.append(`model-${run}-${command.stream}`, events, options);
    expect(result).toMatchObject(expected);
  }
  for (const [index, expected] of model.entries()) {
    const events = await readWholeStream(log, `model-${run}-${index}`);
    expect(events.map((event) => [event.id, event.revision])).toEqual(
      expected.map((event, revision) => [idOf(event.id), revision]),
    );
  }
}

function resend({ resendOf, nonce, expected }: Resend, sent: readonly Command[]) {
  const earlier = sent[resendOf % Math.max(1, sent.length)];
  if (!earlier) return undefined;
  return { ...earlier, expected, events: earlier.events.map((event) => ({ ...event, nonce })) };
}

function newEvent({ id, points, nonce }: CommandEvent, idOf: (id: number) => string): NewEvent {
  return sampleEvent({ data: { points }, nonce: String(nonce) }, { id: idOf(id) });
}

export function describeModel(openers: LogOpeners): void {
  test('random histories get the answers that the rules give in their plainest words', async () => {
    const { log } = await openFresh(openers);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(commands, async (history) => {
        run += 1;
        await runHistory(log, run, history);
      }),
      { numRuns: openers.propertyRuns ?? 50 },
    );
  });
}
