import { newId, systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { reactorStream, runReactor } from '@annals/projection';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { beginReactors, reactorAtRest } from './begin-reactors.ts';

const known = { name: 'calls', categories: ['checkout'] };

function site() {
  const log = memoryEventLog({ clock: systemClock });
  const means = { log, cipher: subjectCipher(memorySubjectKeyStore()), clock: systemClock };
  /** What becomes of a process that works, and is told nothing. */
  const start = async () =>
    (
      await runReactor({
        ...{ ...means, reactor: reactorAtRest(known), runId: newId() },
        signal: AbortSignal.abort(),
      })
    ).kind;
  const open = () => log.append('checkout-1', [sampleEvent()], { expected: 'no-stream' });
  return { log, means, start, open };
}

test('what is begun before the first command needs nobody to say where it begins', async () => {
  const { means, start, open } = site();
  await beginReactors(means, [known]);
  await open();
  expect(await start()).toBe('stopped');
});

test('where something was taken already, a person has to say it', async () => {
  const { means, start, open, log } = site();
  await open();
  expect(await start()).toBe('refused');
  await beginReactors(means, [known]);
  expect(await start()).toBe('refused');
  expect((await log.readStream(reactorStream('calls'))).head).toBe('no-stream');
});

test('several processes may do it, again and again: it is written once', async () => {
  const { means, log } = site();
  await Promise.all([beginReactors(means, [known]), beginReactors(means, [known])]);
  await beginReactors(means, [known]);
  expect((await log.readStream(reactorStream('calls'))).head).toBe(0);
});
