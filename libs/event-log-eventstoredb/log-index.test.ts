import { sampleEvent } from '@annals/event-log/contract';
import { openReplica } from '@annals/event-log-sqlite/replica';
import { describe, expect, onTestFinished, test } from 'vitest';
import { wholeAppends } from './all-feed.ts';
import type { FollowedEvent, Ours } from './event-envelope.ts';
import { LogIndex } from './log-index.ts';
import { freshFolder } from './testing/fresh-folder.ts';

function open(folder: string, prefix = 'p.'): { index: LogIndex; close: () => void } {
  const { replica } = openReplica(folder, 0);
  let closed = false;
  const close = () => {
    if (!closed) replica.close();
    closed = true;
  };
  onTestFinished(close);
  return { index: new LogIndex(replica, prefix), close };
}

function followed(place: number, revision: number, of: Partial<FollowedEvent> = {}): FollowedEvent {
  const sample = sampleEvent();
  const event: Ours['event'] = { ...sample, metadata: null, recordedAt: null };
  return {
    stream: 'p.sample-1',
    revision,
    place,
    id: sample.id,
    ours: { event, stampedAt: place, head: { id: 'append', events: 1 } },
    ...of,
  };
}

describe('the index', () => {
  test('knows what it has stored, also in a later process, and takes what comes again for known', () => {
    const folder = freshFolder();
    const first = open(folder);
    const events = [followed(10, 0), followed(90, 1)];
    first.index.apply(events);
    first.close();
    const { index } = open(folder);
    expect(index.progress).toMatchObject({ place: 90, events: 2, last: { id: events[1]!.id } });
    index.apply([...events, followed(200, 2)]);
    expect(index.progress).toMatchObject({ place: 200, events: 3 });
    const known = index.look('sample-1', [events[1]!.ours!.event], 'any');
    expect(known).toMatchObject({ kind: 'written', revision: 1, duplicate: true });
    const other = { ...events[1]!.ours!.event, contentHash: '0'.repeat(64) };
    expect(index.look('sample-1', [other], 'any').kind).toBe('content-mismatch');
    const fresh = followed(0, 0).ours!.event;
    expect(index.look('sample-1', [fresh], 'any')).toEqual({ kind: 'new', head: 2 });
    expect(index.look('sample-1', [fresh], 1)).toMatchObject({ kind: 'conflict', actual: 2 });
    expect(index.progress.events).toBe(3);
  });

  test('stamps never go back, but those of another log stay', () => {
    const { index } = open(freshFolder());
    const late = followed(10, 0, {});
    index.apply([{ ...late, ours: { ...late.ours!, stampedAt: 5_000 } }]);
    const early = followed(20, 1);
    index.apply([{ ...early, ours: { ...early.ours!, stampedAt: 4_000 } }]);
    expect(index.look('sample-1', [early.ours!.event], 'any')).toMatchObject({ recordedAt: 5_000 });
    const copied = followed(30, 2);
    const event = { ...copied.ours!.event, recordedAt: 7 };
    index.apply([{ ...copied, ours: { ...copied.ours!, event } }]);
    expect(index.look('sample-1', [event], 'any')).toMatchObject({ recordedAt: 7 });
  });

  test('checkpoints of the filter move it on, never back', () => {
    const { index } = open(freshFolder());
    index.passed(500);
    index.passed(400);
    expect(index.progress.place).toBe(500);
  });

  test('skips and counts the streams of others', () => {
    const folder = freshFolder();
    const { index, close } = open(folder);
    const theirs = { stream: 'p.theirs-1', ours: undefined };
    index.apply([followed(10, 0, theirs), followed(20, 0), followed(30, 1, theirs)]);
    expect(index.progress).toMatchObject({ place: 30, events: 1, foreign: 2, last: { place: 20 } });
    close();
    const { index: later } = open(folder);
    expect(later.progress.foreign).toBe(2);
    expect(later.look('theirs-1', [], 'any')).toEqual({ kind: 'foreign' });
  });

  test('skips what was appended to a stream of others that they deleted', () => {
    const { index } = open(freshFolder());
    const theirs = { stream: 'p.theirs-1' };
    index.apply([followed(10, 0, { ...theirs, ours: undefined })]);
    index.apply([followed(20, 1, theirs), followed(30, 2, theirs), followed(40, 0)]);
    expect(index.progress).toMatchObject({ place: 40, events: 1, foreign: 3 });
    expect(index.look('theirs-1', [], 'any')).toEqual({ kind: 'foreign' });
  });

  test('forgets a stream of others with the batch that could not be stored', () => {
    const { index } = open(freshFolder());
    const theirs = followed(10, 0, { stream: 'p.theirs-1', ours: undefined });
    expect(() => index.apply([theirs, followed(20, 7)])).toThrow('revision 0 must come');
    expect(index.look('theirs-1', [], 'any')).toEqual({ kind: 'new', head: 'no-stream' });
  });

  test('skips and counts what another log wrote under a prefix that begins like ours', () => {
    const { index } = open(freshFolder());
    const theirs = { stream: 'p.2sample-1' };
    index.apply([followed(10, 0, theirs), followed(20, 0), followed(30, 4, theirs)]);
    expect(index.progress).toMatchObject({ place: 30, events: 1, foreign: 2 });
  });

  test.each([
    ['foreign-event', followed(90, 1, { ours: undefined })],
    ['newer-event', followed(90, 1, { ours: undefined, newerFormat: 2 })],
    ['newer-event', followed(90, 0, { stream: 'p.new-1', ours: undefined, newerFormat: 2 })],
    ['gap', followed(90, 2)],
    ['gap', followed(90, 0)],
  ])('stops at a %s, and stores nothing of that batch', (problem, wrong) => {
    const { index } = open(freshFolder());
    index.apply([followed(10, 0)]);
    const batch = [followed(50, 0, { stream: 'p.sample-2' }), wrong];
    expect(() => index.apply(batch)).toThrow(expect.objectContaining({ problem }));
    expect(index.progress).toMatchObject({ place: 10, events: 1 });
    const { event } = batch[0]!.ours!;
    expect(index.look('sample-2', [event], 'any')).toEqual({ kind: 'new', head: 'no-stream' });
  });

  test('stops at an id that stands in its stream twice', () => {
    const { index } = open(freshFolder());
    const event = followed(10, 0);
    index.apply([event]);
    const again = { ...event, place: 90, revision: 1 };
    expect(() => index.apply([again])).toThrow(
      expect.objectContaining({ problem: 'stored-twice' }),
    );
  });

  test('of an older program, which does not know the names of foreign streams, is to be made anew', () => {
    const folder = freshFolder();
    const { replica } = openReplica(folder, 0);
    const older = { prefix: 'p.', place: 10, stamp: 1, events: 1, foreign: 1 };
    replica.transaction(() => replica.keepProgress(JSON.stringify(older)));
    replica.close();
    expect(() => open(folder)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  test('of another prefix is refused', () => {
    const folder = freshFolder();
    const first = open(folder);
    first.index.apply([followed(10, 0)]);
    first.close();
    expect(() => open(folder, 'q.')).toThrow(
      expect.objectContaining({ problem: 'other-database' }),
    );
  });
});

describe('whole appends', () => {
  const head = (events: number) =>
    followed(1, 0, { ours: { ...followed(1, 0).ours!, head: { id: 'a', events } } });
  const rest = followed(1, 0, { ours: { ...followed(1, 0).ours!, head: undefined } });

  test.each([
    [[], 0],
    [[head(1)], 1],
    [[head(3), rest], 0],
    [[head(3), rest, rest], 3],
    [[head(1), head(2), rest, head(2)], 3],
    [[followed(1, 0, { ours: undefined }), head(2)], 1],
  ])('case %#', (events, whole) => {
    expect(wholeAppends(events)).toBe(whole);
  });
});
