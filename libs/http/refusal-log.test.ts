import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RefusalLog } from './refusal-log.ts';

describe('what a server refuses for a while', () => {
  let lines: object[] = [];
  const log = new RefusalLog({ warn: (line: object) => void lines.push(line) });
  const refuse = (code: string, times: number) => {
    for (let at = 0; at < times; at += 1) log.tell(code, () => ({ at }));
  };
  beforeEach(() => {
    lines = [];
    vi.useFakeTimers();
  });
  afterEach(() => {
    log.close();
    vi.useRealTimers();
  });

  it('is told at once, then once a second with its number, for each code', () => {
    refuse('read-model-lost', 500);
    refuse('log-overloaded', 1);
    expect(lines).toEqual([
      { at: 0, code: 'read-model-lost' },
      { at: 0, code: 'log-overloaded' },
    ]);
    vi.advanceTimersByTime(1_000);
    refuse('read-model-lost', 7);
    vi.advanceTimersByTime(1_000);
    expect(lines.slice(2)).toEqual([
      { code: 'read-model-lost', requests: 499 },
      { code: 'read-model-lost', requests: 7 },
    ]);
  });

  it('is told at once again after a quiet second', () => {
    refuse('read-model-lost', 1);
    vi.advanceTimersByTime(1_000);
    refuse('read-model-lost', 1);
    expect(lines).toEqual([
      { at: 0, code: 'read-model-lost' },
      { at: 0, code: 'read-model-lost' },
    ]);
  });

  it('is told to the end when the server stops', () => {
    refuse('read-model-lost', 3);
    log.close();
    expect(lines).toContainEqual({ code: 'read-model-lost', requests: 2 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
