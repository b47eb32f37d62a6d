import type { AppendResult } from '@annals/event-log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AppendLanes } from './append-lanes.ts';
import type { AppendTurn } from './append-turn.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const stored: AppendResult = {
  ...{ kind: 'stored', revision: 0, partition: 0, position: '1', recordedAt: 1, duplicate: false },
};

/** Answers of appends as they come; `sent` are those whose turn came. */
function lanes() {
  const all = new AppendLanes();
  const answers: string[] = [];
  const sent: string[] = [];
  const append = (stream: string, name: string, work: (turn: AppendTurn) => Promise<void>) =>
    void all
      .run(stream, 1, async (turn) => {
        sent.push(name);
        await work(turn);
        return stored;
      })
      .then((result) =>
        answers.push(`${name} ${result.kind === 'refused' ? result.reason : result.kind}`),
      );
  return { all, answers, sent, append };
}

const never = () => new Promise<void>(() => undefined);
const hangs = (turn: AppendTurn) => {
  turn.mayBeStored('it was sent');
  return never();
};
const passes = async () => undefined;

test('what waits behind one that hangs is answered in its own time, and is never sent', async () => {
  const { all, answers, sent, append } = lanes();
  append('a-1', 'first', hangs);
  append('a-1', 'second', passes);
  await vi.advanceTimersByTimeAsync(limits.appendMsMax - 1);
  append('a-1', 'third', passes);
  await vi.advanceTimersByTimeAsync(1);
  append('a-2', 'elsewhere', passes);
  await vi.advanceTimersByTimeAsync(0);
  expect(answers).toEqual(['first unknown', 'second unreachable', 'elsewhere stored']);
  await vi.advanceTimersByTimeAsync(limits.appendMsMax);
  expect(answers.at(-1)).toBe('third unreachable');
  expect(sent).toEqual(['first', 'elsewhere']);
  // What was answered and still hangs is not forgotten: it takes memory.
  expect(all.depth).toBe(3);
});

test('one that is late lets those through that are not', async () => {
  const { all, answers, sent, append } = lanes();
  append('a-1', 'first', async (turn) => {
    turn.mayBeStored('it was sent');
    await new Promise((resolve) => setTimeout(resolve, limits.appendMsMax + 5));
  });
  append('a-1', 'second', passes);
  await vi.advanceTimersByTimeAsync(10);
  append('a-1', 'third', passes);
  await vi.advanceTimersByTimeAsync(limits.appendMsMax);
  expect(answers).toEqual(['first unknown', 'second unreachable', 'third stored']);
  expect(sent).toEqual(['first', 'third']);
  expect(all.depth).toBe(0);
});

test('one that the server has refused for sure says that nothing was stored', async () => {
  const { answers, append } = lanes();
  append('a-1', 'first', (turn) => {
    turn.mayBeStored('it was sent');
    turn.isNotStored();
    return never();
  });
  await vi.advanceTimersByTimeAsync(limits.appendMsMax);
  expect(answers).toEqual(['first unreachable']);
});

test('one whose turn does not come because too many are before it is told so', async () => {
  const { answers, append } = lanes();
  const takesLong = () =>
    new Promise<void>((resolve) => setTimeout(resolve, limits.servedMsMax - 1));
  for (const name of ['first', 'second', 'third', 'fourth', 'fifth'])
    append('a-1', name, takesLong);
  await vi.advanceTimersByTimeAsync(limits.appendMsMax);
  expect(answers.slice(0, 3)).toEqual(['first stored', 'second stored', 'third stored']);
  expect(answers.slice(3)).toEqual(['fourth overloaded', 'fifth overloaded']);
});
