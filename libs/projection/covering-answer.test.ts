import type { Checkpoint } from '@annals/event-log';
import { expect, test } from 'vitest';
import { at } from './contract/samples.ts';
import { coveringAnswer } from './covering-answer.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

/** Asks a read model that answers one after the other of these, the last one again and again. */
async function asked(answers: readonly (Checkpoint | 'lost')[], waits: readonly string[] = []) {
  const clock = new VirtualClock();
  let questions = 0;
  const waited: number[] = [];
  const answering = coveringAnswer<Checkpoint | 'lost', string>(at(2), {
    ...{ clock, visibleMsMax: 1_000 },
    wait: async (msMax) => {
      waited.push(msMax);
      return waits[waited.length - 1];
    },
    ask: async () => {
      questions += 1;
      return answers[Math.min(questions, answers.length) - 1] as Checkpoint | 'lost';
    },
    coveredBy: (answer) => (answer === 'lost' ? undefined : answer),
  });
  return { answer: await clock.until(answering), questions, waited, ms: clock.elapsedMs };
}

test('an answer that covers the checkpoint is given as it is', async () => {
  expect(await asked([at(2)])).toMatchObject({ answer: at(2), questions: 1, waited: [1_000] });
  expect(await asked([at(5)])).toMatchObject({ answer: at(5), questions: 1 });
});

test('one of before it is never given: it is waited and asked again, for what is left of the time', async () => {
  const { answer, questions, waited } = await asked([at(1), {}, at(3)]);
  expect({ answer, questions }).toEqual({ answer: at(3), questions: 3 });
  expect(waited).toEqual([1_000, 980, 960]);
});

test('where none covers it in time, that is said', async () => {
  const { answer, ms } = await asked([at(1)]);
  expect(answer).toBe('late');
  expect(ms).toBeGreaterThanOrEqual(1_000);
  expect(ms).toBeLessThanOrEqual(1_100);
});

test('what the wait came to, and an answer that covers nothing, is given as it is', async () => {
  expect(await asked([at(2)], ['gone'])).toMatchObject({ answer: 'gone', questions: 0 });
  expect(await asked([at(1), 'lost'])).toMatchObject({ answer: 'lost', questions: 2 });
});

test('without any time it is asked once', async () => {
  const clock = new VirtualClock();
  const answering = coveringAnswer(at(2), {
    ...{ clock, visibleMsMax: 0 },
    wait: async () => undefined,
    ask: async () => at(2),
    coveredBy: (answer) => answer,
  });
  expect(await clock.until(answering)).toEqual(at(2));
});
