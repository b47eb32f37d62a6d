import type { Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { kafkaLimits } from './kafka-limits.ts';
import type { Produced } from './produce-line.ts';
import { RelayRefusedError, RelaySender } from './relay-sender.ts';

const tooLarge: Produced = { kind: 'refused', isTooLarge: true, reason: 'it is too large' };

function messageOf(id: string): Message {
  return { key: 'sample-1', value: Buffer.from(id), partition: 0, headers: { 'event-id': id } };
}

/** A sender whose requests `answer` answers, on a clock that only its pauses move. */
function senderOf(
  answer: (ids: readonly string[], request: number) => Produced,
  options: { readonly isPatient?: boolean; readonly signal?: AbortSignal } = {},
) {
  const requests: string[][] = [];
  const pauses: number[] = [];
  let now = 0;
  const sender = new RelaySender({
    line: {
      send: async (messages) => {
        const ids = messages.map(({ value }) => String(value));
        requests.push(ids);
        return answer(ids, requests.length);
      },
    },
    topic: 'others',
    isPatient: options.isPatient ?? false,
    signal: options.signal,
    nowMs: () => now,
    sleep: async (milliseconds) => {
      pauses.push(milliseconds);
      now += milliseconds;
    },
  });
  const send = (...ids: string[]) => sender.send(ids.map(messageOf));
  return { send, requests, pauses };
}

test('what is too large together is sent apart, in order', async () => {
  const { send, requests } = senderOf((ids) => (ids.length > 1 ? tooLarge : 'acknowledged'));
  expect(await send('a', 'b', 'c')).toBe(true);
  expect(requests.filter((ids) => ids.length === 1).flat()).toEqual(['a', 'b', 'c']);
});

test('one that is never taken ends it, named with the reason; those before it were sent', async () => {
  const { send, requests, pauses } = senderOf((ids) =>
    ids.includes('c') ? tooLarge : 'acknowledged',
  );
  const sending = send('a', 'b', 'c', 'd');
  await expect(sending).rejects.toThrow(RelayRefusedError);
  await expect(sending).rejects.toMatchObject({ code: 'event-refused', eventId: 'c' });
  await expect(sending).rejects.toThrow(
    /event c of sample-1.*it is too large.*max\.message\.bytes/,
  );
  expect(requests).toEqual([['a', 'b', 'c', 'd'], ['a', 'b'], ['c', 'd'], ['c']]);
  expect(pauses).toEqual([]);
});

test('what fails is tried again after pauses that grow, and not for ever', async () => {
  const { send, pauses } = senderOf(() => 'in-doubt');
  await expect(send('a')).rejects.toMatchObject({ code: 'unreachable' });
  const [first, second] = pauses;
  expect([first, second]).toEqual([kafkaLimits.retryPauseMs, 2 * kafkaLimits.retryPauseMs]);
  const sum = pauses.reduce((all, one) => all + one, 0);
  expect(sum).toBeLessThanOrEqual(kafkaLimits.relayTriesMsMax);
  expect(sum).toBeGreaterThan(kafkaLimits.relayTriesMsMax / 2);
  expect(Math.max(...pauses)).toBe(kafkaLimits.relayPauseMsMax);
});

test('who follows is patient until it is told to stop', async () => {
  const stop = new AbortController();
  const { send, requests } = senderOf(
    (_, request) => {
      if (request === 100) stop.abort();
      return 'not-sent';
    },
    { isPatient: true, signal: stop.signal },
  );
  expect(await send('a')).toBe(false);
  expect(requests).toHaveLength(100);
  const again = senderOf((_, request) => (request < 100 ? 'in-doubt' : 'acknowledged'), {
    isPatient: true,
  });
  expect(await again.send('a')).toBe(true);
});
