import { expect, test } from 'vitest';
import { type Start, startUnlessFailed } from './start-unless-failed.ts';

const never = new Promise<never>(() => undefined);

/** A part that says when it is closed. */
function parts() {
  const closed: string[] = [];
  const part = (name: string) => ({ name, close: async () => void closed.push(name) });
  return { closed, part };
}

test('a log that fails while it is waited for ends the start, and lets go of what was opened', async () => {
  const { closed, part } = parts();
  const told: Error[] = [];
  const failure = new Error('another topic');
  const starting = startUnlessFailed(
    async ({ opened, failed, onFailed }) => {
      opened.unshift(part('log'));
      opened.unshift(part('followers'));
      queueMicrotask(() => onFailed(failure));
      // As those who wait for a log that says nothing any more.
      await never;
      return failed;
    },
    (error) => told.push(error),
  );
  await expect(starting).rejects.toBe(failure);
  expect(closed).toEqual(['followers', 'log']);
  expect(told).toEqual([failure]);
});

test('what is opened at that moment opens nothing more, and is closed as soon as it is there', async () => {
  const { closed, part } = parts();
  const second = Promise.withResolvers<void>();
  let begun: Start | undefined;
  const starting = startUnlessFailed(async (start) => {
    begun = start;
    start.opened.unshift(part('first'));
    await second.promise;
    start.opened.unshift(part('second'));
    start.failed.throwIfAborted();
    start.opened.unshift(part('third'));
  });
  begun?.onFailed(new Error('another topic'));
  await expect(starting).rejects.toThrow('another topic');
  expect(closed).toEqual(['first']);
  second.resolve();
  await expect.poll(() => closed).toEqual(['first', 'second']);
});

test('a start that fails by itself closes all that it has opened, whatever one of them throws', async () => {
  const { closed, part } = parts();
  const starting = startUnlessFailed(async ({ opened }) => {
    opened.unshift(part('log'));
    opened.unshift({ name: 'broken', close: () => Promise.reject(new Error('no')) });
    opened.unshift(part('projector'));
    throw new Error('port in use');
  });
  await expect(starting).rejects.toThrow('port in use');
  expect(closed).toEqual(['projector', 'log']);
});

test('a log that fails later is told, and closes nothing of what serves', async () => {
  const { closed, part } = parts();
  const told: string[] = [];
  const start = await startUnlessFailed(
    async (means) => {
      means.opened.unshift(part('log'));
      return means;
    },
    ({ message }) => told.push(message),
  );
  start.onFailed(new Error('another topic'));
  await new Promise((resolve) => setImmediate(resolve));
  expect({ closed, told }).toEqual({ closed: [], told: ['another topic'] });
});
