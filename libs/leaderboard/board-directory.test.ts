import type { Clock } from '@annals/core';
import { type MemoryLogFaults, memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, onTestFinished, test } from 'vitest';
import { boardDirectoryLimits, followBoards } from './board-directory.ts';
import { leaderboardEvents } from './events.ts';
import { boardStream } from './streams.ts';

const cipher = subjectCipher(memorySubjectKeyStore());
const settings = { operator: 'best', order: 'asc', reset: 'never', buckets: 64 } as const;

/** A clock whose sleeps are over at once, and are counted. */
function countedClock() {
  const sleeps: number[] = [];
  const sleep: Clock['sleep'] = async (ms) => {
    sleeps.push(ms);
  };
  return { sleeps, sleep };
}

function open(faults: MemoryLogFaults = {}) {
  const log = memoryEventLog({ faults });
  onTestFinished(() => log.close());
  return log;
}

async function put(log: ReturnType<typeof open>, board: string, type = 'board-configured') {
  const data = type === 'board-configured' ? { board, ...settings } : { board, period: 'all' };
  const id = `${board.padEnd(8, '0')}-0000-5000-8000-${type.length.toString().padStart(12, '0')}`;
  const event = { type, id, data, occurredAt: 0 } as never;
  const encoded = await leaderboardEvents.encode([event], cipher);
  if (encoded.kind !== 'encoded') throw new Error('erased');
  const result = await log.append(boardStream(board), encoded.events, { expected: 'any' });
  expect(result.kind).toBe('stored');
}

function follow(log: ReturnType<typeof open>, clock: Pick<Clock, 'sleep'> = countedClock()) {
  const directory = followBoards({ log, cipher, clock });
  onTestFinished(() => directory.close());
  return directory;
}

describe('the directory of boards', () => {
  test('is ready when it has read what was there', async () => {
    const log = open();
    for (const board of ['a', 'b', 'c']) await put(log, board);
    const directory = follow(log);
    await directory.ready();
    expect([...directory.boards().keys()]).toEqual(['a', 'b', 'c']);
  });

  test('hears of boards and closes as they come', async () => {
    const log = open();
    const directory = follow(log);
    await directory.ready();
    expect(directory.boards().size).toBe(0);
    await put(log, 'a');
    await expect
      .poll(() => directory.boards().get('a')?.settings, { timeout: 10_000 })
      .toEqual(settings);
    await put(log, 'a', 'period-close-started');
    const board = () => directory.boards().get('a');
    await expect.poll(() => board()?.closing, { timeout: 10_000 }).toEqual(new Set(['all']));
    await put(log, 'a', 'period-close-completed');
    await expect.poll(() => board()?.closed, { timeout: 10_000 }).toEqual(new Set(['all']));
  });

  test('asks the log for a board it has not heard of', async () => {
    const log = open();
    const directory = follow(log);
    await directory.close();
    await put(log, 'a');
    expect(directory.boards().size).toBe(0);
    expect((await directory.board('a'))?.settings).toEqual(settings);
    expect(await directory.board('b')).toBeUndefined();
  });

  test('refreshed, knows what the board’s stream says, and loses nothing by it', async () => {
    const log = open();
    const directory = follow(log);
    await put(log, 'a');
    await directory.ready();
    await directory.close();
    await put(log, 'a', 'period-close-started');
    await put(log, 'a', 'period-close-completed');
    for (let again = 0; again < 2; again += 1) {
      expect((await directory.refresh('a'))?.closed).toEqual(new Set(['all']));
    }
    expect((await directory.board('a'))?.closing).toEqual(new Set());
  });

  test('tries again when the log breaks, ever more slowly, and says what is wrong', async () => {
    let breaks = 10;
    const log = open({
      deliver: () => {
        breaks -= 1;
        return breaks >= 0 ? 'throw' : undefined;
      },
    });
    await put(log, 'a');
    const seen: unknown[] = [];
    const clock = countedClock();
    const directory = follow(log, {
      sleep: async (ms, signal) => {
        seen.push(directory.problem());
        await clock.sleep(ms, signal);
      },
    });
    await directory.ready();
    expect(directory.boards().has('a')).toBe(true);
    expect(clock.sleeps).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
    expect(clock.sleeps.at(-1)).toBe(boardDirectoryLimits.backoffMsMax);
    expect(seen).toHaveLength(10);
    expect(seen[0]).toMatchObject({ name: 'EventLogError' });
    await expect.poll(() => directory.problem(), { timeout: 10_000 }).toBeUndefined();
  });

  test('events that come again change nothing', async () => {
    const log = open({ deliver: () => 'repeat' });
    await put(log, 'a');
    await put(log, 'a', 'period-close-started');
    await put(log, 'a', 'period-close-completed');
    const directory = follow(log);
    await directory.ready();
    expect(directory.boards().get('a')).toMatchObject({
      closing: new Set(),
      closed: new Set(['all']),
      archived: new Map(),
    });
  });

  test('stops with the log', async () => {
    const log = open();
    const directory = follow(log);
    await directory.ready();
    await log.close();
    await directory.close();
    expect(directory.problem()).toBeUndefined();
  });
});
