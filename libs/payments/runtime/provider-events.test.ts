import { memoryEventLog } from '@annals/event-log';
import { VirtualClock } from '@annals/projection/testing';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { describe, expect, test } from 'vitest';
import type { HintsQuery, Psp } from '../psp/port.ts';
import {
  providerEventsLimits,
  providerEventsStep,
  providerMarkCategory,
} from './provider-events.ts';
import { runSchedule } from './schedule.ts';

const noon = Date.parse('2026-11-24T12:00:00Z');
const hourMs = 3_600_000;

interface Asked extends HintsQuery {
  readonly at: number;
}

/** Providers of which nothing is known but what they are asked, and a schedule that asks them. */
function asking(names: readonly string[]) {
  const clock = new VirtualClock(noon);
  const log = memoryEventLog({ clock });
  const cipher = subjectCipher(memorySubjectKeyStore());
  const down = new Set<string>();
  const asked = new Map<string, Asked[]>(names.map((name) => [name, []]));
  const fetched: string[] = [];
  const events: { readonly id: string; readonly object: string; readonly at: number }[] = [];
  const psp = (name: string) =>
    ({
      hints: async (query: HintsQuery) => {
        asked.get(name)?.push({ ...query, at: clock.now() });
        if (down.has(name)) return { kind: 'unknown', reason: 'timeout', detail: 'it is down' };
        const hints = events
          .filter(({ at }) => at >= query.from && at < query.to)
          .map(({ id, object, at }) => ({
            ...{ psp: name, eventId: id, type: 'checkout.session.completed', occurredAt: at },
            object: { kind: 'page', id: object },
          }));
        return { kind: 'answered', value: { hints, next: undefined } };
      },
      retrieve: async (_: string, id: string) => {
        fetched.push(id);
        return { kind: 'refused', reason: 'not_found', detail: 'none of ours' };
      },
    }) as unknown as Psp;
  const psps = new Map(names.map((name) => [name, psp(name)]));
  const observer = { psp: (name: string) => psps.get(name), observe: async () => 'unchanged' };
  const routing = { names, psp: (name: string) => psps.get(name) };
  const stop = new AbortController();
  const begin = () => {
    const step = providerEventsStep({ log, cipher, clock, routing, observer } as never);
    void runSchedule({
      ...{ steps: [step], clock, signal: stop.signal, mayWork: () => true },
      onTrouble: (name, detail) => {
        throw new Error(`${name}: ${detail}`);
      },
    });
  };
  const marks = async (name: string) =>
    (await log.readStream(`${providerMarkCategory}-${name}`, { limit: 1_000 })).events.length;
  return { clock, down, asked, fetched, events, begin, marks, stop: () => stop.abort() };
}

describe('providers are asked for their events', () => {
  test('so often that what a webhook did not tell is known within a minute, by one call for all', async () => {
    const { clock, asked, fetched, events, begin, marks, stop } = asking(['one']);
    begin();
    await clock.advance(hourMs);
    const first = asked.get('one') ?? [];
    // A month is asked for at first, a day at a time.
    const days = first.filter(({ at }) => at < noon + 1_000).length;
    expect(days).toBe(30);
    expect(first.length - days).toBeLessThanOrEqual(hourMs / providerEventsLimits.everyMs);
    expect(await marks('one')).toBeLessThanOrEqual(days + 6);
    let known = 0;
    for (let second = 0; second < 90; second += 7) {
      const at = clock.now();
      events.push({ id: `evt-${second}`, object: `cs-${second}`, at });
      events.push({ id: `again-${second}`, object: `cs-${second}`, at });
      const before = asked.get('one')?.length ?? 0;
      while (!fetched.includes(`cs-${second}`)) await clock.advance(1_000);
      known = Math.max(known, clock.now() - at);
      expect((asked.get('one')?.length ?? 0) - before).toBeLessThanOrEqual(2);
      await clock.advance(7_000);
    }
    expect(known).toBeLessThanOrEqual(61_000);
    // What was followed once is not fetched again, though some time is asked for twice.
    await clock.advance(hourMs);
    expect(new Set(fetched).size).toBe(fetched.length);
    stop();
  });

  test('more and more seldom where one does not answer, and the others as before', async () => {
    const { clock, down, asked, begin, stop } = asking(['one', 'two']);
    down.add('one');
    begin();
    await clock.advance(hourMs);
    const times = (name: string) => (asked.get(name) ?? []).map(({ at }) => at);
    const gaps = times('one').map((at, index, all) => at - (all[index - 1] ?? at));
    // Looked at every 45 seconds: each wait is the next look after 1, 2, 4 and then 5 minutes.
    const waited = gaps.slice(1).map((ms) => ms / 60_000);
    const least = [1, 2, 4, ...Array(20).fill(5)];
    for (const [index, minutes] of waited.entries()) {
      expect(minutes).toBeGreaterThanOrEqual(least[index] ?? 5);
      expect(minutes).toBeLessThan((least[index] ?? 5) + 1);
    }
    expect(times('two').filter((at) => at > noon + 1_000).length).toBeGreaterThan(75);
    down.clear();
    await clock.advance(6 * 60_000);
    const before = times('one').length;
    await clock.advance(10 * 60_000);
    expect(times('one').length - before).toBeGreaterThan(11);
    stop();
  });

  test('by a process that starts again from the mark on', async () => {
    const { clock, asked, begin, stop } = asking(['one']);
    begin();
    await clock.advance(hourMs);
    const before = asked.get('one')?.length ?? 0;
    begin();
    await clock.advance(500);
    const again = asked.get('one')?.[before];
    const { markEveryMs, skewMs, everyMs } = providerEventsLimits;
    expect(again?.from).toBeGreaterThan(clock.now() - markEveryMs - skewMs - 2 * everyMs);
    stop();
  });
});
