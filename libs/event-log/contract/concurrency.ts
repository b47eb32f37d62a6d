import { describe, expect, test } from 'vitest';
import { sameCheckpoint } from '../checkpoint.ts';
import type { AppendResult, Checkpoint, EventLog, NewEvent, StoredEvent } from '../port.ts';
import {
  eventsOf,
  expectLogOrder,
  expectNoGaps,
  ids,
  pullUntil,
  readAll,
  readWholeStream,
  sortedIds,
} from './reading.ts';
import { sampleEvent, sampleEvents, stored } from './sample-events.ts';
import { type LogOpeners, openFresh } from './site.ts';

const writers = 32;
const appendsOfWriter = 12;

/** `writers` callers at once: each appends to a stream of its own and to one of four they share. */
async function writeFromAll(log: EventLog): Promise<NewEvent[]> {
  const written = await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      const sent: NewEvent[] = [];
      for (let round = 0; round < appendsOfWriter; round += 1) {
        const events = sampleEvents(1 + (round % 3));
        const own = round % 2 === 0;
        const stream = own ? `own-${writer}` : `shared-${writer % 4}`;
        stored(await log.append(stream, events, { expected: own && round > 0 ? 'exists' : 'any' }));
        sent.push(...events);
      }
      return sent;
    }),
  );
  return written.flat();
}

/** Pages forward while `writing` goes on, and then to the end. */
async function pageDuring(
  log: EventLog,
  writing: Promise<unknown>,
  limit: number,
): Promise<StoredEvent[]> {
  let over = false;
  void writing.finally(() => {
    over = true;
  });
  const seen: StoredEvent[] = [];
  let at: Checkpoint = {};
  for (;;) {
    const last = over;
    const page = await log.read(at, {}, { limit });
    seen.push(...page.events);
    at = page.checkpoint;
    if (page.end && last) return seen;
    if (page.end) await new Promise((resolve) => setImmediate(resolve));
  }
}

export function describeConcurrency(openers: LogOpeners): void {
  describe(`${writers} concurrent writers`, () => {
    test('positions strictly increase, revisions have no gaps, a full read yields each event once', async () => {
      const { log } = await openFresh(openers);
      const written = await writeFromAll(log);
      const events = await readAll(log, {}, { limit: 100 });
      expectLogOrder(events);
      expectNoGaps(events);
      expect(sortedIds(events)).toEqual(sortedIds(written));
    });

    test('a reader that pages, and one that subscribes, while they write never miss an event', async () => {
      const { log } = await openFresh(openers);
      const writing = writeFromAll(log);
      const total = writers * (appendsOfWriter / 3) * (1 + 2 + 3);
      const following = pullUntil(
        log.subscribe({}, {}, { limit: 20 }),
        (_, all) => eventsOf(all).length >= total,
      );
      const reading = [1, 7, 100].map((limit) => pageDuring(log, writing, limit));
      const written = sortedIds(await writing);
      for (const seen of [...(await Promise.all(reading)), eventsOf(await following)]) {
        expectLogOrder(seen);
        expectNoGaps(seen);
        expect(sortedIds(seen)).toEqual(written);
      }
      expect(written).toHaveLength(total);
    });

    test('that expect the same revision: one wins each round, the others conflict with what is there', async () => {
      const { log } = await openFresh(openers);
      for (let round = 0; round < 5; round += 1) {
        const expected = round === 0 ? 'no-stream' : round - 1;
        const results = await Promise.all(
          sampleEvents(writers).map((event) => log.append('sample-1', [event], { expected })),
        );
        const conflicts = results.filter((result) => result.kind === 'conflict');
        expect(results.filter((result) => result.kind === 'stored')).toHaveLength(1);
        expect(conflicts).toEqual(
          Array.from({ length: writers - 1 }, () => ({
            kind: 'conflict',
            expected,
            actual: round,
          })),
        );
      }
      expect(await readWholeStream(log, 'sample-1')).toHaveLength(5);
    });

    test('that send the same event: it is stored once, and all get the one result', async () => {
      const { log } = await openFresh(openers);
      const events = sampleEvents(2);
      const results = await Promise.all(
        Array.from({ length: writers }, () => log.append('sample-1', events, { expected: 'any' })),
      );
      const fresh = results.filter((result) => result.kind === 'stored' && !result.duplicate);
      expect(fresh).toHaveLength(1);
      const asDuplicate: AppendResult = { ...stored(fresh[0]!), duplicate: true };
      for (const result of results.filter((one) => one !== fresh[0])) {
        expect(result).toEqual(asDuplicate);
      }
      expect(ids(await readAll(log))).toEqual(ids(events));
    });

    test('whose appends overlap: each is stored as a whole or not at all', async () => {
      const { log } = await openFresh(openers);
      const events = sampleEvents(writers + 2);
      const results = await Promise.all(
        Array.from({ length: writers }, (_, writer) =>
          log.append('sample-1', events.slice(writer, writer + 3), { expected: 'any' }),
        ),
      );
      const kept = await readWholeStream(log, 'sample-1');
      const storedStarts = results.flatMap((result, writer) =>
        result.kind === 'stored' && !result.duplicate ? [writer] : [],
      );
      const expectedIds = storedStarts.flatMap((start) => ids(events.slice(start, start + 3)));
      expect(sortedIds(kept)).toEqual([...expectedIds].sort());
      expect(results.filter((result) => result.kind === 'partial-duplicate').length).toBe(
        writers - storedStarts.length,
      );
    });
  });

  test('the head never goes back while others write', async () => {
    const { log } = await openFresh(openers);
    const writing = writeFromAll(log);
    const heads: Checkpoint[] = [await log.head()];
    for (let look = 0; look < 20; look += 1) {
      const head = await log.head();
      const seen = heads.at(-1)!;
      for (const [partition, position] of Object.entries(seen)) {
        expect(head[Number(partition)]! >= position).toBe(true);
      }
      heads.push(head);
    }
    await writing;
    const end = await log.read('end');
    expect(sameCheckpoint(end.checkpoint, await log.head())).toBe(true);
  });

  test('an append under way is finished by close, and known afterwards', async () => {
    const { site, log } = await openFresh(openers);
    const event = sampleEvent();
    let answered = false;
    const appending = log.append('sample-1', [event], { expected: 'any' }).finally(() => {
      answered = true;
    });
    await log.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(true);
    stored(await appending);
    if (openers.without?.reopen !== undefined) return;
    const again = await site.open();
    expect(ids(await readAll(again))).toEqual([event.id]);
    await again.close();
  });
}
