import { describe, expect, test } from 'vitest';
import type { Operator, Order } from './input.ts';
import { type BoardState, evolveBoard, nextScore, scoreOf, standingOf } from './state.ts';

const settings = { operator: 'increment', order: 'desc', reset: 'monthly', buckets: 64 } as const;
const configured = { type: 'board-configured', data: settings } as const;
const started = { type: 'period-close-started', data: { period: '2026-11' } } as const;
const completed = { type: 'period-close-completed', data: { period: '2026-11' } } as const;

function board(...events: readonly Parameters<typeof evolveBoard>[1][]): BoardState | undefined {
  return events.reduce<BoardState | undefined>(evolveBoard, undefined);
}

describe('a score', () => {
  test.each<[Operator, Order, number | undefined, number, number]>([
    ['increment', 'desc', undefined, 5, 5],
    ['increment', 'desc', 5, 3, 8],
    ['increment', 'asc', 5, -7, -2],
    ['best', 'desc', 5, 3, 5],
    ['best', 'desc', 5, 7, 7],
    ['best', 'asc', 5, 3, 3],
    ['best', 'asc', 5, 7, 5],
    ['best', 'asc', undefined, 7, 7],
    ['latest', 'desc', 5, 3, 3],
    ['latest', 'asc', 5, 7, 7],
  ])('%s %s: %s and then %s gives %s', (operator, order, before, points, after) => {
    expect(nextScore(before, points, operator, order)).toBe(after);
  });

  test('beyond the safe integers is not mistaken for a safe one', () => {
    const beyond = nextScore(Number.MAX_SAFE_INTEGER, 1, 'increment', 'desc');
    expect(Number.isSafeInteger(beyond)).toBe(false);
  });

  test('stands lower the better it is, and is never minus zero', () => {
    expect(standingOf(7, 'desc')).toBeLessThan(standingOf(6, 'desc'));
    expect(standingOf(6, 'asc')).toBeLessThan(standingOf(7, 'asc'));
    expect(standingOf(0, 'desc')).toBe(0);
    expect(scoreOf(standingOf(0, 'desc'), 'desc')).toBe(0);
    for (const order of ['asc', 'desc'] as const) {
      expect(scoreOf(standingOf(-12, order), order)).toBe(-12);
    }
  });
});

describe('a board', () => {
  test('is not there before it was made', () => {
    expect(board()).toBeUndefined();
    expect(board(started)).toBeUndefined();
  });

  test('keeps the settings it was made with', () => {
    const other = { type: 'board-configured', data: { ...settings, order: 'asc' } } as const;
    expect(board(configured, other)?.settings).toEqual(settings);
  });

  test('closes a period in two steps', () => {
    expect(board(configured, started)).toMatchObject({
      closing: new Set(['2026-11']),
      closed: new Set(),
      archived: new Map(),
    });
    expect(board(configured, started, completed)).toMatchObject({
      closing: new Set(),
      closed: new Set(['2026-11']),
      archived: new Map(),
    });
  });

  test('comes out the same when its events come again', () => {
    const events = [configured, started, completed] as const;
    expect(board(...events, ...events)).toEqual(board(...events));
  });
});
