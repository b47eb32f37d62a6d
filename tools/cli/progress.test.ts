import { PassThrough } from 'node:stream';
import type { Clock } from '@annals/core';
import { describe, expect, it } from 'vitest';
import { duration } from './output.ts';
import { progress } from './progress.ts';

function shownOn(isTTY: boolean, quiet = false) {
  let now = 1_000_000;
  const clock: Clock = { now: () => now, sleep: async () => undefined };
  const err = Object.assign(new PassThrough(), {
    isTTY,
    columns: 200,
    cursorTo: () => true,
    clearLine: () => true,
  });
  let text = '';
  err.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const shown = progress({ err, clock }, 'rebuilding', { unit: 'events', quiet });
  const pass = (ms: number) => {
    now += ms;
  };
  return { shown, pass, text: () => text };
}

describe('progress', () => {
  it('is a bar with rate and time to go on a terminal', () => {
    const { shown, pass, text } = shownOn(true);
    shown.update(0, 4_000);
    pass(2_000);
    shown.update(1_000, 4_000);
    shown.stop();
    expect(text()).toContain('rebuilding');
    expect(text()).toContain('25% | 1,000/4,000 events | 500 events/s | ETA 6 s');
  });

  it('is a line every five seconds elsewhere', () => {
    const { shown, pass, text } = shownOn(false);
    for (let done = 0; done <= 1_200; done += 100) {
      shown.update(done, 2_000);
      pass(1_000);
    }
    shown.stop();
    expect(text()).toBe(
      'rebuilding: 500/2,000 events, 100 events/s, ETA 15 s\n' +
        'rebuilding: 1,000/2,000 events, 100 events/s, ETA 10 s\n',
    );
  });

  it('measures from where it began, and never ends before it is done', () => {
    const { shown, pass, text } = shownOn(false);
    shown.update(9_000, 9_500);
    pass(10_000);
    shown.update(10_000, 9_500);
    expect(text()).toBe('rebuilding: 10,000/10,000 events, 100 events/s, ETA 0 s\n');
  });

  it('is not shown with --json', () => {
    const { shown, pass, text } = shownOn(true, true);
    shown.update(1, 2);
    pass(60_000);
    shown.update(2, 2);
    shown.stop();
    expect(text()).toBe('');
  });
});

describe('a span of time', () => {
  it.each([
    [0.04, '0 s'],
    [9.94, '9.9 s'],
    [59, '59 s'],
    [61, '1 min 1 s'],
    [7_500, '2 h 5 min'],
  ])('of %d seconds is %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
