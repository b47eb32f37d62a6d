import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { WirePlaces } from './wire-places.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** `count` calls, of which those that were sent can be answered or given up. */
function calls(places: WirePlaces, count: number) {
  const sent: { answer(): void; giveUp(): void }[] = [];
  for (let at = 0; at < count; at += 1) {
    void places.run((answered) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const answer = () => {
        answered();
        resolve();
      };
      sent.push({ answer, giveUp: resolve });
      return promise;
    });
  }
  return sent;
}

const soon = () => vi.advanceTimersByTimeAsync(0);

test('so many are under way, and each that is answered lets the next one go', async () => {
  const sent = calls(new WirePlaces(), 20);
  await soon();
  expect(sent).toHaveLength(limits.appendsInFlightMax);
  sent[3]?.answer();
  await soon();
  expect(sent).toHaveLength(limits.appendsInFlightMax + 1);
});

test('those that were given up keep their places, but for some that find out', async () => {
  const sent = calls(new WirePlaces(), 40);
  await soon();
  for (const one of [...sent]) one.giveUp();
  await soon();
  expect(sent).toHaveLength(limits.appendsOnTheWireMax);
  for (const one of sent) one.giveUp();
  await soon();
  expect(sent).toHaveLength(limits.appendsOnTheWireMax);
  // An answer to an early one says nothing of those behind it.
  sent[0]?.answer();
  await soon();
  expect(sent).toHaveLength(limits.appendsOnTheWireMax + 1);
  // One to the last says that the stream goes on.
  sent.at(-1)?.answer();
  await soon();
  expect(sent).toHaveLength(limits.appendsOnTheWireMax + 1 + limits.appendsInFlightMax);
});

test('those of which nothing is ever heard let go in the end', async () => {
  const sent = calls(new WirePlaces(), 40);
  await soon();
  for (const one of [...sent]) one.giveUp();
  await vi.advanceTimersByTimeAsync(limits.givenUpMsMax);
  expect(sent.length).toBeGreaterThan(limits.appendsOnTheWireMax);
});

test('what was not sent after all leaves no trace', async () => {
  const places = new WirePlaces();
  for (let at = 0; at < 40; at += 1) {
    expect(await places.run(() => undefined)).toBeUndefined();
  }
  const sent = calls(places, 20);
  await soon();
  expect(sent).toHaveLength(limits.appendsInFlightMax);
});
