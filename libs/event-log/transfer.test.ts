import { describe, expect, test } from 'vitest';
import { ChangedEventError } from './content.ts';
import { sampleEvent, sampleEvents } from './contract/index.ts';
import type { SampleContent } from './contract/sample-events.ts';
import { exportLog } from './export-log.ts';
import { type ImportOptions, type ImportResult, importLog } from './import-log.ts';
import { limits } from './limits.ts';
import { hashLog, LogHash, type PortableEvent } from './log-hash.ts';
import { type AppendFault, type MemoryEventLog, memoryEventLog } from './memory-event-log.ts';
import type { EventLog, NewEvent } from './port.ts';
import { eventLine, manifestLine } from './transfer-format.ts';

const any = { expected: 'any' } as const;
const now = { now: () => 1_767_323_045_999 };

/** 12 streams in 3 partitions, appended in turns, with everything in them that must come through. */
async function filledLog(rounds = 60): Promise<MemoryEventLog> {
  const log = memoryEventLog({ partitions: 3, clock: now });
  for (let round = 0; round < rounds; round += 1) {
    const events = sampleEvents(1 + (round % 3), {
      data: { round, text: 'Zoë\n"💥"\\ \u2028' },
      nonce: `n${round}`,
    }).map((event) => ({ ...event, metadata: round % 2 === 0 ? { actor: 'é' } : {} }));
    await log.append(`sample-${round % 12}-日本`, events, any);
  }
  const odd = { data: '{ "a":\n1e2,"a":1.0 }', occurredAt: 0, recordedAt: 253_402_300_799_999 };
  await log.append('odd-1', [sampleEvent({ data: { a: 1 } }, odd)], any);
  return log;
}

async function collected(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

async function linesOf(log: EventLog): Promise<string[]> {
  return await collected(exportLog(log));
}

async function portable(log: EventLog) {
  const events = (await log.read('start', {}, { limit: limits.pageEventsMax })).events;
  return events
    .map(({ partition: _, position: __, ...event }) => event)
    .sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.revision - b.revision));
}

const refused = (reason: string, line: number, detail: RegExp) => ({
  kind: 'refused',
  reason,
  line,
  detail: expect.stringMatching(detail),
});

describe('export and import', () => {
  test('carry every event unchanged into a log with other partitions', async () => {
    const log = await filledLog();
    const lines = await linesOf(log);
    const copy = memoryEventLog({ partitions: 2, clock: { now: () => 5 } });
    const result = await importLog(copy, lines);
    const hash = await hashLog(log);
    const manifest = { events: hash.events, streams: 13, hash: hash.digest() };
    expect(result).toEqual({
      kind: 'imported',
      manifest,
      added: hash.events,
      present: 0,
      others: 0,
    });
    expect(await portable(copy)).toEqual(await portable(log));
    expect((await hashLog(copy)).digest()).toBe(hash.digest());
  });

  test('an empty log makes a header and a manifest, and imports', async () => {
    const lines = await linesOf(memoryEventLog());
    expect(lines).toEqual([
      '{"format":"annals-log","version":1}',
      manifestLine({ events: 0, streams: 0, hash: '0'.repeat(64) }),
    ]);
    expect(await importLog(memoryEventLog(), lines)).toMatchObject({ kind: 'imported', added: 0 });
  });

  test('a line has one event, with times that people can read and no line end in it', async () => {
    const lines = await linesOf(await filledLog());
    expect(lines.every((line) => !/[\r\n]/.test(line))).toBe(true);
    const odd = lines.find((line) => line.includes('"odd-1"'));
    expect(JSON.parse(odd ?? '')).toMatchObject({
      occurredAt: '1970-01-01T00:00:00.000Z',
      recordedAt: '9999-12-31T23:59:59.999Z',
      data: '{ "a":\n1e2,"a":1.0 }',
    });
  });

  test('an export while others write is a whole one, and tells its progress', async () => {
    const log = await filledLog();
    const before = (await hashLog(log)).events;
    const progress: number[] = [];
    const lines: string[] = [];
    for await (const line of exportLog(log, { onProgress: (p) => progress.push(p.events) })) {
      lines.push(line);
      if (lines.length % 20 === 0) await log.append('sample-late', sampleEvents(1_000), any);
      if (lines.length > 5_000) break;
    }
    expect(lines.length - 2).toBe(progress.at(-1));
    expect(progress.at(-1)).toBeGreaterThanOrEqual(before);
    const copy = memoryEventLog();
    expect(await importLog(copy, lines)).toMatchObject({ kind: 'imported', others: 0 });
  });

  test('an export from a checkpoint goes on from a file that ended there', async () => {
    const log = await filledLog();
    const copy = memoryEventLog();
    await importLog(copy, await linesOf(log));
    const from = await log.head();
    await log.append('sample-1-日本', sampleEvents(2), any);
    await log.append('new-1', sampleEvents(2), any);
    const rest = await collected(exportLog(log, { from }));
    expect(rest).toHaveLength(1 + 4 + 1);
    expect(await importLog(copy, rest)).toMatchObject({ added: 4, manifest: { streams: 1 } });
    expect(await portable(copy)).toEqual(await portable(log));
    const onEmpty = await importLog(memoryEventLog(), rest);
    expect(onEmpty).toMatchObject({ kind: 'refused', reason: 'missing-events' });
  });

  test('an aborted export has no manifest, and its import says that it is cut short', async () => {
    const log = await filledLog();
    const abort = new AbortController();
    const lines: string[] = [];
    for await (const line of exportLog(log, { signal: abort.signal })) {
      lines.push(line);
      abort.abort();
    }
    expect(lines).toHaveLength(1);
    expect(await importLog(memoryEventLog(), lines)).toEqual(refused('truncated', 1, /cut short/));
  });

  test('data as large as the limits allow comes through, in appends that fit', async () => {
    const log = memoryEventLog();
    const filling = '\\"'.repeat((limits.eventDataBytesMax - 8) / 2);
    const data = { a: JSON.parse(`"${filling}"`) as string };
    const events = Array.from({ length: 7 }, () => sampleEvent({ data }));
    expect(Buffer.byteLength(events[0]?.data ?? '')).toBe(limits.eventDataBytesMax);
    for (const event of events) await log.append('sample-1', [event], any);
    await log.append('sample-2', sampleEvents(1_000), any);
    await log.append('sample-2', sampleEvents(500), any);
    const copy = memoryEventLog();
    expect(await importLog(copy, await linesOf(log))).toMatchObject({ added: 1_507 });
    expect(await portable(copy)).toEqual(await portable(log));
  });
});

describe('an import that was broken off', () => {
  test('goes on from what is there: present events are passed over, wherever it broke', async () => {
    const log = await filledLog();
    const lines = await linesOf(log);
    const total = lines.length - 2;
    const copy = memoryEventLog();
    let present = 0;
    for (const cut of [1, 2, 7, 50, 90, total]) {
      const result = await importLog(copy, lines.slice(0, cut + 1));
      expect(result).toMatchObject({ reason: 'truncated', line: cut + 1 });
      expect((await hashLog(copy)).events).toBe(cut);
      present = cut;
    }
    expect(await importLog(copy, lines)).toMatchObject({ added: 0, present, others: 0 });
    expect(await portable(copy)).toEqual(await portable(log));
  });

  test('by its signal says so, with the line it came to', async () => {
    const lines = await linesOf(await filledLog());
    const abort = new AbortController();
    const copy = memoryEventLog();
    async function* slowly() {
      for (const [index, line] of lines.entries()) {
        if (index === 5) abort.abort();
        yield line;
      }
    }
    const options: ImportOptions = { signal: abort.signal };
    expect(await importLog(copy, slowly(), options)).toEqual({ kind: 'aborted', line: 5 });
    expect(await importLog(copy, lines)).toMatchObject({ kind: 'imported', others: 0 });
  });

  test.each<AppendFault>(['unknown-stored', 'unknown-not-stored', 'overloaded', 'unreachable'])(
    'appends answered %s are sent again, and counted once',
    async (fault) => {
      const log = await filledLog();
      let calls = 0;
      const append = () => {
        calls += 1;
        return calls % 3 === 0 ? fault : undefined;
      };
      const copy = memoryEventLog({ faults: { append } });
      const total = (await hashLog(log)).events;
      const result = await importLog(copy, await linesOf(log));
      expect(result).toMatchObject({ kind: 'imported', added: total, present: 0, others: 0 });
      expect(await portable(copy)).toEqual(await portable(log));
    },
  );

  test('an append that is never taken ends it, with its line', async () => {
    const copy = memoryEventLog({ faults: { append: () => 'overloaded' } });
    let slept = 0;
    const clock = {
      sleep: async () => {
        slept += 1;
      },
    };
    const result = await importLog(copy, await linesOf(await filledLog(1)), { clock });
    expect(result).toEqual(refused('append-failed', 2, /20 times/));
    expect(slept).toBe(40);
  });

  test('broken I/O throws, after every write under way has come to rest', async () => {
    let calls = 0;
    const copy = memoryEventLog({
      faults: {
        append: () => {
          calls += 1;
          return calls === 4 ? 'throw-stored' : undefined;
        },
      },
    });
    const lines = await linesOf(await filledLog());
    await expect(importLog(copy, lines)).rejects.toMatchObject({ code: 'io' });
    const atRest = (await hashLog(copy)).events;
    for (let turn = 0; turn < 1_000; turn += 1) await Promise.resolve();
    expect((await hashLog(copy)).events).toBe(atRest);
    expect(await importLog(copy, lines)).toMatchObject({ kind: 'imported', others: 0 });
  });
});

describe('an import into a log that differs', () => {
  const options = { expected: 'any' } as const;

  async function importInto(fill: (copy: EventLog, events: NewEvent[]) => Promise<unknown>) {
    const log = memoryEventLog({ clock: now });
    const events = sampleEvents(4).map((event) => ({ ...event, recordedAt: 7 }));
    await log.append('sample-1', events, options);
    const copy = memoryEventLog();
    await fill(copy, events);
    const before = await portable(copy);
    const result = await importLog(copy, await linesOf(log));
    if (result.kind === 'refused') expect(await portable(copy)).toEqual(before);
    return result;
  }

  const cases: [string, Partial<NewEvent>, RegExp][] = [
    ['another event', { id: sampleEvent().id }, /^sample-1@1: the log has another id$/],
    ['other data bytes', { data: '{"points": 1}' }, /another data$/],
    ['another recordedAt', { recordedAt: 8 }, /another recordedAt$/],
    ['other metadata', { metadata: { actor: 'x' } }, /another metadata$/],
    ['another content hash', { contentHash: 'f'.repeat(64) }, /another contentHash$/],
  ];
  test.each(cases)('%s: refused at the line, nothing is written', async (_, change, detail) => {
    const result = await importInto((copy, [a, b, c]) =>
      copy.append('sample-1', [a!, { ...b!, ...change }, c!], options),
    );
    expect(result).toEqual(refused('log-differs', 3, detail));
  });

  test('an id that stands elsewhere in the stream: refused', async () => {
    const result = await importInto((copy, [a, , c]) => copy.append('sample-1', [a!, c!], options));
    expect(result).toEqual(refused('log-differs', 3, /another id/));
    const behind = await importInto(async (copy, [a, b, c, d]) =>
      copy.append('sample-1', [{ ...a!, id: sampleEvent().id }, b!, c!, d!], options),
    );
    expect(behind).toEqual(refused('log-differs', 2, /sample-1@0: the log has another id/));
  });

  test('events beside those of the file are left alone, and counted', async () => {
    const result = await importInto(async (copy, events) => {
      await copy.append('other-1', sampleEvents(3), options);
      await copy.append('sample-1', [...events, sampleEvent()], options);
    });
    expect(result).toMatchObject({ kind: 'imported', added: 0, present: 4, others: 4 });
  });

  test('another writer that comes in between cannot push an event to another revision', async () => {
    const log = memoryEventLog();
    await log.append('sample-1', sampleEvents(6), options);
    const lines = await linesOf(log);
    let intruded = false;
    const copy: MemoryEventLog = memoryEventLog({
      faults: {
        append: (stream, events) => {
          if (!intruded && events.length > 1) {
            intruded = true;
            void copy.append(stream, [sampleEvent()], options);
          }
          return undefined;
        },
      },
    });
    await importLog(copy, lines.slice(0, 2));
    const result = await importLog(copy, lines);
    expect(intruded).toBe(true);
    expect(result).toMatchObject({ kind: 'refused', reason: 'log-differs', line: 3 });
    expect((await copy.readStream('sample-1')).head).toBe(1);
  });
});

describe('a damaged file is refused with its line', () => {
  async function importChanged(change: (lines: string[]) => string[]): Promise<ImportResult> {
    return await importLog(memoryEventLog(), change(await linesOf(await filledLog(10))));
  }
  const at = (index: number, change: (line: string) => string) => (lines: string[]) =>
    lines.map((line, place) => (place === index ? change(line) : line));

  test.each<[string, (lines: string[]) => string[], string, number, RegExp]>([
    ['nothing at all', () => [], 'not-an-export', 0, /no line/],
    ['another file', () => ['{"a":1}'], 'not-an-export', 1, /./],
    ['not text of JSON', () => ['hello'], 'not-an-export', 1, /not JSON/],
    ['no header', (lines) => lines.slice(1), 'not-an-export', 1, /not the header/],
    ['newer', at(0, (line) => line.replace('1}', '2}')), 'newer-format', 1, /version 2/],
    ['version 0', at(0, (line) => line.replace('1}', '0}')), 'not-an-export', 1, /version 0/],
    ['half a line', at(4, (line) => line.slice(0, 100)), 'corrupted-line', 5, /not JSON/],
    ['an empty line', at(4, () => ''), 'corrupted-line', 5, /not JSON/],
    ['null', at(4, () => 'null'), 'corrupted-line', 5, /not a JSON object/],
    [
      'a changed letter in data',
      at(4, (l) => l.replace('Zoë', 'Zoe')),
      'corrupted-line',
      5,
      /check/,
    ],
    ['a changed time', at(4, (l) => l.replace('2026', '2027')), 'corrupted-line', 5, /check/],
    ['a time that is none', at(4, (l) => l.replace('-01-', '-13-')), 'corrupted-line', 5, /time/],
    ['a missing member', at(4, (l) => l.replace('"type"', '"typ"')), 'corrupted-line', 5, /typ/],
    ['more members', at(4, (l) => l.replace('{', '{"x":1,')), 'corrupted-line', 5, /x/],
    [
      'a second header',
      at(4, () => '{"format":"annals-log","version":1}'),
      'corrupted-line',
      5,
      /second/,
    ],
    ['cut before the manifest', (lines) => lines.slice(0, -1), 'truncated', 21, /cut short/],
    ['only a header', (lines) => lines.slice(0, 1), 'truncated', 1, /cut short/],
    ['more behind the manifest', (lines) => [...lines, lines[1]!], 'corrupted-line', 23, /behind/],
    [
      'an overlong line',
      at(4, (l) => l + ' '.repeat(2_000_000)),
      'corrupted-line',
      5,
      /characters/,
    ],
    ['a bad manifest', (l) => [...l.slice(0, -1), '{"manifest":{}}'], 'corrupted-line', 22, /hash/],
  ])('%s', async (_, change, reason, line, detail) => {
    expect(await importChanged(change)).toEqual(refused(reason, line, detail));
  });

  test('a line that is missing in the middle of a stream, or in the wrong order', async () => {
    const log = memoryEventLog();
    await log.append('sample-1', sampleEvents(5), any);
    const [header, a, b, c, ...rest] = (await linesOf(log)) as [string, string, string, string];
    const missing = await importLog(memoryEventLog(), [header, a, c, ...rest]);
    expect(missing).toEqual(refused('missing-events', 3, /revision 2, and the log has it up to/));
    const swapped = await importLog(memoryEventLog(), [header, b, a, c, ...rest]);
    expect(swapped).toEqual(refused('missing-events', 2, /does not have it/));
  });

  test('a line that is missing at a stream’s end, or that comes twice, by the manifest', async () => {
    const log = await filledLog(10);
    const lines = await linesOf(log);
    const last = lines.length - 2;
    const missing = await importLog(memoryEventLog(), lines.toSpliced(last, 1));
    expect(missing).toMatchObject({ reason: 'manifest-mismatch', line: lines.length - 1 });
    const twice = await importLog(memoryEventLog(), lines.toSpliced(last, 0, lines[last]!));
    expect(twice).toMatchObject({ reason: 'manifest-mismatch', line: lines.length + 1 });
  });

  test('another manifest hash', async () => {
    const log = memoryEventLog();
    await log.append('sample-1', sampleEvents(1), any);
    const lines = await linesOf(log);
    const manifest = manifestLine({ events: 1, streams: 1, hash: 'a'.repeat(64) });
    const result = await importLog(memoryEventLog(), lines.with(-1, manifest));
    expect(result).toEqual(refused('manifest-mismatch', 3, /^the manifest says hash aaaa/));
  });

  test('an event that no log may store, though its check digits fit', async () => {
    const event = {
      ...sampleEvent(),
      stream: 'sample-1',
      revision: 0,
      metadata: {},
      recordedAt: 1,
    };
    const line = (wrong: object) => {
      const changed = { ...event, ...wrong };
      return eventLine(changed, new LogHash().add(changed));
    };
    for (const [wrong, detail] of [
      [{ stream: 'Sample' }, /form category-id/],
      [{ data: '[]' }, /not a JSON object/],
      [{ id: 'x' }, /UUID/],
      [{ schemaVersion: 0 }, /schema version/],
    ] as const) {
      const lines = ['{"format":"annals-log","version":1}', line(wrong)];
      const result = await importLog(memoryEventLog(), lines);
      expect(result).toEqual(refused('corrupted-line', 2, detail));
    }
  });

  test('an event whose data was changed under its content hash, though its check digits fit', async () => {
    const lines = await linesOf(await filledLog(10));
    const place = lines.findIndex((line) => line.includes('"odd-1"'));
    const { check: _, ...line } = JSON.parse(lines[place] ?? '') as PortableEvent & {
      check: string;
    };
    const event = {
      ...line,
      occurredAt: Date.parse(String(line.occurredAt)),
      recordedAt: Date.parse(String(line.recordedAt)),
      data: line.data.replace('1.0', '2.0'),
    };
    const changed = lines.with(place, eventLine(event, new LogHash().add(event)));
    const copy = memoryEventLog();
    const detail = new RegExp(`^changed: event ${event.id} \\(odd-1@0\\): its data is not what`);
    expect(await importLog(copy, changed)).toEqual(refused('changed-event', place + 1, detail));
    expect((await copy.readStream('odd-1')).head).toBe('no-stream');
  });

  test('an export stops at an event that was changed; sealed data it cannot tell', async () => {
    const log = memoryEventLog();
    const tampered = (content: SampleContent) => {
      const event = sampleEvent({ data: { points: 3 }, ...content });
      return { ...event, data: event.data.replace('3', '4') };
    };
    await log.append('sealed-1', [tampered({ nonce: 'n' })], any);
    expect(await linesOf(log)).toHaveLength(3);
    await log.append('open-1', [sampleEvent(), tampered({})], any);
    await expect(linesOf(log)).rejects.toThrow(ChangedEventError);
    await expect(linesOf(log)).rejects.toMatchObject({
      code: 'changed-event',
      message: expect.stringMatching(/ \(open-1@1\): its data is not what its content hash/),
    });
  });

  test('what stands before the damage is stored, so that the repaired file goes on from there', async () => {
    const log = await filledLog(10);
    const lines = await linesOf(log);
    const copy = memoryEventLog();
    const damaged = lines.with(10, 'oops');
    expect(await importLog(copy, damaged)).toEqual(refused('corrupted-line', 11, /not JSON/));
    expect(await importLog(copy, lines)).toMatchObject({ present: 9, others: 0 });
  });
});

test('importing in windows: a log larger than one window comes through, and tells its progress', async () => {
  const log = memoryEventLog({ partitions: 2 });
  for (let round = 0; round < 9; round += 1) {
    await log.append(`sample-${round % 4}`, sampleEvents(1_000), any);
  }
  const seen: number[] = [];
  const copy = memoryEventLog();
  const onProgress: ImportOptions['onProgress'] = ({ lines, added }) => {
    seen.push(lines);
    expect(added).toBeLessThanOrEqual(lines);
  };
  expect(await importLog(copy, exportLog(log), { onProgress })).toMatchObject({ added: 9_000 });
  expect(seen).toEqual([4_001, 8_001, 9_002]);
  expect((await hashLog(copy)).digest()).toBe((await hashLog(log)).digest());
});
