import {
  type Checkpoint,
  copyLog,
  covers,
  type EventLog,
  memoryEventLog,
  type StoredEvent,
} from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { describe, expect, it } from 'vitest';
import { placeInCopy } from './relay-place.ts';

async function append(log: EventLog, count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const category = number % 3 === 0 ? 'other' : 'sample';
    await log.append(`${category}-${number % 11}`, [sampleEvent()], { expected: 'any' });
  }
}

async function eventsOf(log: EventLog, categories?: readonly string[]): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  for (let from: Checkpoint = {}; ; ) {
    const page = await log.read(from, categories ? { categories } : {});
    found.push(...page.events);
    if (page.end) return found;
    from = page.checkpoint;
  }
}

function idsBeyond(events: readonly StoredEvent[], place: Checkpoint): Set<string> {
  const beyond = events.filter((event) => !covers(place, event.partition, event.position));
  return new Set(beyond.map((event) => event.id));
}

describe('where a relay goes on in a copy of its log', () => {
  it.each([
    [1, 1],
    [1, 4],
    [4, 1],
    [3, 2],
  ])('from %i partitions to %i: nothing is left out, whatever was sent', async (before, after) => {
    const old = memoryEventLog({ partitions: before });
    await append(old, 120);
    const copy = memoryEventLog({ partitions: after });
    expect((await copyLog(old, copy)).kind).toBe('copied');
    await append(copy, 30);
    const inOld = await eventsOf(old);
    const inCopy = await eventsOf(copy);
    for (const categories of [undefined, ['sample']]) {
      for (let sent = 1; sent <= 120; sent += sent < 113 ? 7 : 1) {
        const checkpoint: { [partition: number]: string } = {};
        for (const { partition, position } of inOld.slice(0, sent))
          checkpoint[partition] = position;
        const place = await placeInCopy(old, copy, categories, checkpoint);
        if ('problem' in place) throw new Error(String(place.problem));
        const undone = inOld.filter((event) => idsBeyond(inOld, checkpoint).has(event.id));
        const ids = new Set(inOld.map((event) => event.id));
        const wanted = [...undone, ...inCopy.filter((event) => !ids.has(event.id))]
          .filter(({ stream }) => !categories || stream.startsWith('sample-'))
          .map((event) => event.id);
        const comes = idsBeyond(inCopy, place);
        expect(wanted.filter((id) => !comes.has(id))).toEqual([]);
        // Where all was sent nothing comes again.
        if (sent === 120) expect(comes.size).toBe(30);
      }
    }
  });

  it('a log that lacks events of the old one, or has none of them, is no copy', async () => {
    const old = memoryEventLog();
    await append(old, 10);
    const half = memoryEventLog();
    await copyLog(old, half);
    await append(old, 1);
    expect(await placeInCopy(old, half, undefined, {})).toMatchObject({
      problem: expect.stringContaining('finish the copy first'),
    });
    const other = memoryEventLog();
    await append(other, 10);
    expect(await placeInCopy(old, other, undefined, await old.head())).toEqual({
      problem: 'it has none of the events',
    });
  });
});
