import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { type Answer, AppendQueue } from './append-queue.ts';
import { kafkaLimits } from './kafka-limits.ts';
import type { Produced } from './produce-line.ts';

interface Request {
  readonly numbers: readonly number[];
  answer(produced: Produced): Promise<void>;
}

/** A queue whose requests the test answers. */
function openQueue() {
  const requests: Request[] = [];
  const queue = new AppendQueue({
    send: (messages) => {
      const { promise, resolve } = Promise.withResolvers<Produced>();
      const answer = async (produced: Produced) => {
        resolve(produced);
        await nextTurn();
      };
      requests.push({ numbers: messages.map(({ value }) => Number(value)), answer });
      return promise;
    },
    voidOf: ({ number }) => ({
      number: number + 1_000,
      message: messageOf(number + 1_000),
      bytes: 9,
    }),
    queueAppendsMax: 1_000,
    queueBytesMax: 1_000_000,
  });
  const send = (...numbers: number[]): Promise<Answer>[] =>
    numbers.map((number) =>
      queue.send({ number, partition: 0, message: messageOf(number), bytes: 9, isBarrier: false }),
    );
  const read = (...numbers: number[]) => {
    for (const number of numbers) queue.read({ number, result: { kind: 'seen' } });
  };
  return { queue, requests, send, read };
}

function messageOf(number: number): Message {
  return { value: String(number), partition: 0 };
}

test('one that is alone is sent at once', async () => {
  const { requests, send, read } = openQueue();
  const [answer] = send(1);
  await nextTurn();
  expect(requests.map(({ numbers }) => numbers)).toEqual([[1]]);
  read(1);
  await requests[0]?.answer('acknowledged');
  expect(await answer).toEqual({ kind: 'seen' });
});

test('what is asked together is sent together, also when it was answered together', async () => {
  const { requests, send, read } = openQueue();
  const answers = send(1, 2, 3).map(async (answer, index) => {
    await answer;
    return send(4 + index)[0];
  });
  await nextTurn();
  read(1, 2, 3);
  await requests[0]?.answer('acknowledged');
  await nextTurn();
  expect(requests.map(({ numbers }) => numbers)).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  read(4, 5, 6);
  await requests[1]?.answer('acknowledged');
  await Promise.all(answers);
});

test('records wait until they are as many as those under way, but not for ever', async () => {
  const { requests, send, read } = openQueue();
  const first = send(1, 2, 3);
  await nextTurn();
  await requests[0]?.answer('acknowledged');
  const second = send(4);
  await nextTurn();
  await nextTurn();
  expect(requests).toHaveLength(1);
  read(1, 2);
  await Promise.all(first.slice(0, 2));
  await nextTurn();
  expect(requests[1]?.numbers).toEqual([4]);
  await requests[1]?.answer('acknowledged');
  read(4);
  await second[0];
  // Nothing comes of 3, nor of 5 and 6 for long: a lone record goes when its time is over.
  send(5, 6);
  await nextTurn();
  await requests[2]?.answer('acknowledged');
  const last = send(7);
  await expect.poll(() => requests.length, { interval: 1 }).toBe(4);
  expect(requests[3]?.numbers).toEqual([7]);
  read(7);
  await requests[3]?.answer('acknowledged');
  await last[0];
});

test('enough for a request do not wait, however many are under way', async () => {
  const { requests, send } = openQueue();
  const many = kafkaLimits.gatheredRecordsMax;
  send(...Array.from({ length: 3 * many }, (_, index) => index + 1));
  await nextTurn();
  await requests[0]?.answer('acknowledged');
  send(...Array.from({ length: many }, (_, index) => 10_000 + index));
  await nextTurn();
  expect(requests[1]?.numbers).toHaveLength(many);
});

test('what settles an append in doubt does not wait', async () => {
  const { requests, send, read } = openQueue();
  const [doubtful, other] = send(1, 2);
  await nextTurn();
  await requests[0]?.answer('in-doubt');
  await expect.poll(() => requests.length, { interval: 1 }).toBe(2);
  expect(requests[1]?.numbers).toEqual([1_002, 1_001]);
  read(1_001, 1_002);
  await requests[1]?.answer('acknowledged');
  for (const answer of [doubtful, other]) {
    expect(await answer).toMatchObject({ kind: 'refused', reason: 'unreachable' });
  }
});

test('a copy that comes behind the void of an append that is stored takes nothing back', async () => {
  const { queue, requests, send, read } = openQueue();
  const [doubtful] = send(1);
  await nextTurn();
  const stored = {
    ...({ kind: 'stored', revision: 0, partition: 0, position: '1', recordedAt: 1 } as const),
    duplicate: false,
  } as const;
  queue.read({ number: 1, result: stored });
  await requests[0]?.answer('in-doubt');
  await expect.poll(() => requests.length, { interval: 1 }).toBe(2);
  read(1_001);
  queue.read({ number: 1, result: { kind: 'void' } });
  await requests[1]?.answer('acknowledged');
  expect(await doubtful).toEqual(stored);
});

test('a request that is refused is sent in halves: who is to blame is refused once its void came first', async () => {
  const { queue, requests, send, read } = openQueue();
  const refused = { kind: 'refused', isTooLarge: true, reason: 'it is too large' } as const;
  const [, , large, after] = send(1, 2, 3, 4);
  await nextTurn();
  await requests[0]?.answer(refused);
  await requests[1]?.answer('acknowledged');
  await requests[2]?.answer(refused);
  await requests[3]?.answer(refused);
  await requests[4]?.answer('acknowledged');
  expect(requests.slice(0, 5).map(({ numbers }) => numbers)).toEqual([
    [1, 2, 3, 4],
    [1, 2],
    [3, 4],
    [3],
    [4],
  ]);
  read(1, 2, 4);
  expect(await after).toEqual({ kind: 'seen' });
  await expect.poll(() => requests.length, { interval: 1 }).toBe(6);
  expect(requests[5]?.numbers).toEqual([1_003]);
  expect(queue.depth).toBe(2);
  read(1_003);
  await requests[5]?.answer('acknowledged');
  expect(await large).toEqual({
    kind: 'refused',
    reason: 'append-too-large',
    detail: 'Kafka refuses it: it is too large. Nothing was stored',
  });
});

test('while no broker takes it an append is refused as unreachable, and as denied where brokers do not let us', async () => {
  const { requests, send } = openQueue();
  const [away] = send(1);
  await nextTurn();
  await requests[0]?.answer('not-sent');
  expect(await away).toEqual({
    ...{ kind: 'refused', reason: 'unreachable' },
    detail: 'no Kafka broker takes it: nothing was stored',
  });
  const [denied] = send(2);
  await expect.poll(() => requests.length, { interval: 1 }).toBe(2);
  await requests[1]?.answer({ kind: 'not-let', reason: 'Cluster authorization failed' });
  expect(await denied).toEqual({
    kind: 'denied',
    detail: 'Kafka refuses it: Cluster authorization failed. Nothing was stored',
  });
});

test('what a broker refuses for another reason than its size is denied once its void came first', async () => {
  const { requests, send, read } = openQueue();
  const [stamped] = send(1);
  await nextTurn();
  await requests[0]?.answer({ kind: 'refused', isTooLarge: false, reason: 'its time is wrong' });
  await expect.poll(() => requests.length, { interval: 1 }).toBe(2);
  read(1_001);
  await requests[1]?.answer('acknowledged');
  expect(await stamped).toEqual({
    kind: 'denied',
    detail: 'Kafka refuses it: its time is wrong. Nothing was stored',
  });
});

test('a half that no broker takes is in doubt: an attempt of the whole, which was refused, may have been taken', async () => {
  const { requests, send, read } = openQueue();
  const refused = { kind: 'refused', isTooLarge: false, reason: 'it is not liked' } as const;
  const [first] = send(1, 2);
  await nextTurn();
  await requests[0]?.answer(refused);
  await requests[1]?.answer('not-sent');
  await requests[2]?.answer('acknowledged');
  await expect.poll(() => requests.length, { interval: 1 }).toBe(4);
  expect(requests[3]?.numbers).toEqual([1_001]);
  read(1, 1_001);
  await requests[3]?.answer('acknowledged');
  expect(await first).toEqual({ kind: 'seen' });
});

test('who has won is told after those who lost to it, so that they come before it the next time', async () => {
  const { queue, requests, send } = openQueue();
  const told: number[] = [];
  const answers = send(1, 2, 3).map((answer, index) => answer.then(() => told.push(index + 1)));
  await nextTurn();
  queue.read({
    number: 1,
    result: {
      ...({ kind: 'stored', revision: 0, partition: 0, position: '1', recordedAt: 1 } as const),
      duplicate: false,
    },
  });
  for (const number of [2, 3]) {
    const result = { kind: 'conflict', expected: 'no-stream', actual: 0 } as const;
    queue.read({ number, result });
  }
  await requests[0]?.answer('acknowledged');
  await Promise.all(answers);
  expect(told).toEqual([2, 3, 1]);
});
