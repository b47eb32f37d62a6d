import { EventLogError } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { Appender, type AppenderOptions } from './appender.ts';

/** An appender whose parts do what a test says. */
function appender(of: {
  readonly look?: () => Promise<unknown>;
  readonly ofStream?: () => Promise<boolean>;
  readonly claim?: () => Promise<boolean>;
}): Appender {
  const { look = async () => ({ kind: 'new', head: 'no-stream' }), ofStream, claim } = of;
  return new Appender({
    index: { look },
    barriers: { ofStream },
    prefixes: { claim },
    prefix: 'p.',
    clock: { now: () => 1 },
  } as unknown as AppenderOptions);
}

const append = (to: Appender) => to.append('sample-1', 1, [sampleEvent()], 'no-stream');

test('an append that waits in vain for an index without its server is refused: nothing was stored', async () => {
  const look = () => Promise.reject(new EventLogError('catching-up', 'it is being made anew'));
  expect(await append(appender({ look }))).toEqual({
    ...{ kind: 'refused', reason: 'unreachable' },
    detail: 'it is being made anew: nothing was stored',
  });
});

test('so is one that the index would refuse, where the server does not tell what it has', async () => {
  const answer = append(
    appender({
      look: async () => ({ kind: 'conflict', expected: 'no-stream', actual: 3 }),
      ofStream: () => Promise.reject(new EventLogError('unreachable', 'no answer')),
    }),
  );
  expect(await answer).toMatchObject({ kind: 'refused', reason: 'unreachable' });
});

test('so is one before which the prefix did not come into the record', async () => {
  const answer = await append(appender({ claim: async () => false }));
  expect(answer).toMatchObject({ kind: 'refused', reason: 'unreachable' });
});

test('what no waiting mends is thrown', async () => {
  const look = () => Promise.reject(new EventLogError('corrupt', 'a gap'));
  await expect(append(appender({ look }))).rejects.toMatchObject({ code: 'corrupt' });
});
