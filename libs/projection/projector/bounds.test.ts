import type { StoredEvent } from '@annals/event-log';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bounded, End } from './bounds.ts';

function event(partition: number, position: string, recordedAt = 0): StoredEvent {
  return {
    id: `${partition}-${position}`,
    stream: 's-1',
    revision: 0,
    partition,
    position,
    type: 't',
    schemaVersion: 1,
    data: '{}',
    contentHash: '',
    metadata: {},
    occurredAt: 0,
    recordedAt,
  };
}

const checkpoint = fc
  .dictionary(fc.constantFrom('0', '1', '2'), fc.integer({ min: 0, max: 9 }).map(String))
  .map((entries) => entries as { [partition: number]: string });

describe('a bounded checkpoint', () => {
  test('is never behind what was reached, never past the limit unless that was reached', () => {
    fc.assert(
      fc.property(checkpoint, checkpoint, checkpoint, (reached, target, limit) => {
        const to = bounded(reached, target, limit);
        for (const one of [0, 1, 2]) {
          const [at = '', was = '', most = ''] = [to[one], reached[one], limit[one]];
          expect(at >= was).toBe(true);
          expect(at <= most || at === was).toBe(true);
          expect(at <= (target[one] ?? '') || at === was).toBe(true);
        }
      }),
    );
  });
});

describe('the end of a point in time', () => {
  test('by checkpoint includes what lies up to it, and is reached there', () => {
    const end = new End({ checkpoint: '0:2,1:1' });
    const events = [event(0, '1'), event(1, '1'), event(0, '2'), event(0, '3'), event(2, '1')];
    const included = end.include(events, {}, { 0: '3', 1: '1', 2: '1' });
    expect(included.events.map(({ id }) => id)).toEqual(['0-1', '1-1', '0-2']);
    expect(included.to).toEqual({ 0: '2', 1: '1' });
    expect(end.isReached(included.to, {})).toBe(true);
    expect(end.isReached({ 0: '2' }, {})).toBe(false);
  });

  test('by time ends each partition before its first later event, whatever comes behind', () => {
    const end = new End({ time: 100 });
    const events = [event(0, '1', 100), event(0, '2', 101), event(0, '3', 50), event(1, '1', 10)];
    const included = end.include(events, {}, { 0: '3', 1: '1' });
    expect(included.events.map(({ id }) => id)).toEqual(['0-1', '1-1']);
    expect(included.to).toEqual({ 0: '1', 1: '1' });
    expect(end.isReached(included.to, { 0: '3', 1: '1' })).toBe(false);
    const later = end.include([event(1, '2', 200)], included.to, { 0: '4', 1: '2' });
    expect(later).toEqual({ events: [], to: { 0: '1', 1: '1' } });
    expect(end.isReached(later.to, { 0: '4', 1: '2' })).toBe(true);
  });
});
