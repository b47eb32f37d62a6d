import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { judgeAppend } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { dataUnits } from './event-rows.ts';
import { sqliteEventLog } from './index.ts';
import {
  encodePosition,
  type FillBodies,
  firstPositionOf,
  HeadWatch,
  headSum,
  isDropped,
  LogReads,
  offsetOf,
  openReplica,
  ownReplicaFolder,
  type Replica,
  type ReplicaAppend,
  removeReplica,
  replicaReader,
  snapshotReplica,
} from './replica.ts';
import { freshFolder } from './testing/fresh-log.ts';

function open(folder: string, partition: number): Replica {
  const { replica } = openReplica(folder, partition);
  onTestFinished(() => replica.close());
  return replica;
}

function appendOf(stream: string, count = 1): ReplicaAppend {
  const events = Array.from({ length: count }, () => {
    const { id, type, schemaVersion, data, contentHash, occurredAt } = sampleEvent();
    return {
      ...{ id, type, schemaVersion, data, contentHash, occurredAt },
      metadata: null,
      recordedAt: 7,
    };
  });
  return { stream, expected: 'any', events };
}

function store(replica: Replica, offset: number, append: ReplicaAppend): void {
  replica.transaction(() => {
    expect(replica.append(append, offset, judgeAppend).kind).toBe('written');
    replica.keepProgress(`at ${offset}`);
  });
}

function readsOf(folder: string, partitions: readonly number[], fill?: FillBodies): LogReads {
  const readers = partitions.map((partition) => replicaReader(folder, partition));
  const reads = new LogReads(readers, new HeadWatch(() => headSum(readers)), undefined, fill);
  onTestFinished(() => reads.close());
  return reads;
}

describe('a replica', () => {
  test('keeps events at the positions of their record, and progress beside them', async () => {
    const folder = freshFolder();
    const replica = open(folder, 3);
    const first = appendOf('sample-1', 2);
    const second = appendOf('sample-1');
    store(replica, 0, first);
    store(replica, 41, second);
    const reads = readsOf(folder, [3]);
    const { events } = await reads.read('start');
    expect(events.map(({ id, partition, position, revision }) => [id, partition, position, revision]))
      // biome-ignore format: a table
      .toEqual([
      [first.events[0]!.id, 3, encodePosition(firstPositionOf(0)), 0],
      [first.events[1]!.id, 3, encodePosition(firstPositionOf(0) + 1), 1],
      [second.events[0]!.id, 3, encodePosition(firstPositionOf(41)), 2],
    ]);
    expect(replica.progress()).toBe('at 41');
    expect((await reads.readStream(3, 'sample-1')).head).toBe(2);
    await expect(reads.readStream(4, 'sample-1')).rejects.toThrow('not served');
  });

  test('a transaction that breaks leaves neither events nor progress nor marks', async () => {
    const folder = freshFolder();
    const replica = open(folder, 0);
    store(replica, 0, appendOf('sample-1'));
    const broken = () =>
      replica.transaction(() => {
        replica.append(appendOf('sample-1'), 1, judgeAppend);
        replica.mark({ key: new Uint8Array([1]), place: 1 });
        replica.keepProgress('at 1');
        throw new Error('broken');
      });
    expect(broken).toThrow('broken');
    expect((await readsOf(folder, [0]).read('start')).events).toHaveLength(1);
    expect([replica.progress(), replica.marks()]).toEqual(['at 0', []]);
    store(replica, 2, appendOf('sample-1'));
  });

  test('marks are found again by a later process, until they are dropped', () => {
    const folder = freshFolder();
    const first = openReplica(folder, 0).replica;
    for (const place of [5, 1, 9]) {
      first.transaction(() => first.mark({ key: new Uint8Array([place, 0]), place }));
    }
    first.close();
    const again = open(folder, 0);
    expect(again.marks().map(({ key, place }) => [...key, place])).toEqual([
      [1, 0, 1],
      [5, 0, 5],
      [9, 0, 9],
    ]);
    expect([5, 6].map((key) => again.isMarked(new Uint8Array([key, 0])))).toEqual([true, false]);
    again.transaction(() => again.dropMarks(6));
    expect(again.marks().map(({ place }) => place)).toEqual([9]);
  });

  test('positions and offsets are one thing, up to the largest safe integer', () => {
    for (const offset of [0, 1, 12_345_678_901, 8_796_093_022_206]) {
      const first = firstPositionOf(offset);
      expect([offsetOf(first), offsetOf(first + 999)]).toEqual([offset, offset]);
      expect(encodePosition(first)).toHaveLength(16);
    }
    expect(() => firstPositionOf(8_796_093_022_207)).toThrow(RangeError);
    expect(() => firstPositionOf(-1)).toThrow(RangeError);
  });
});

describe('bodies that are dropped', () => {
  test('are asked for by whoever reads them; all else of their events stays, and counts for a page', async () => {
    const folder = freshFolder();
    const replica = open(folder, 0);
    for (let offset = 0; offset < 6; offset += 1) store(replica, offset, appendOf('a-1'));
    const whole = (await readsOf(folder, [0]).read('start')).events;
    replica.transaction(() => replica.dropBodies(1, 4));
    replica.transaction(() => replica.dropBodies(1, 4));
    const asked: string[][] = [];
    const fill: FillBodies = async (events) => {
      asked.push(events.filter(({ data }) => isDropped(data)).map(({ position }) => position));
      return events.map((event) => whole.find(({ id }) => id === event.id) ?? event);
    };
    const reads = readsOf(folder, [0], fill);
    expect((await reads.read('start')).events).toEqual(whole);
    expect((await reads.readStream(0, 'a-1')).events).toEqual(whole);
    const positions = [1, 2, 3].map((offset) => encodePosition(firstPositionOf(offset)));
    expect(asked).toEqual([positions, positions]);
    const unfilled = (await readsOf(folder, [0]).read('start')).events;
    expect(unfilled.map(({ data }) => dataUnits(data))).toEqual(
      whole.map(({ data }) => data.length),
    );
    // A program that knows no dropped bodies would take what is left of them for data.
    using db = new DatabaseSync(join(folder, 'partition-00000', 'events.sqlite'));
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 });
  });
});

describe('several partitions', () => {
  test('are read as one log, a busy one does not keep the others back', async () => {
    const folder = freshFolder();
    for (let offset = 0; offset < 50; offset += 1) store(open(folder, 0), offset, appendOf('a-1'));
    for (let offset = 0; offset < 3; offset += 1) store(open(folder, 2), offset, appendOf('b-1'));
    open(folder, 5);
    const reads = readsOf(folder, [0, 2, 5]);
    const page = await reads.read('start', {}, { limit: 12 });
    expect(page.events.filter((event) => event.partition === 2)).toHaveLength(3);
    expect(page.events).toHaveLength(12);
    expect(page.end).toBe(false);
    const rest = await reads.read(page.checkpoint);
    expect(rest).toMatchObject({ end: true, checkpoint: await reads.head() });
    expect(rest.events).toHaveLength(41);
    expect(Object.keys(await reads.head())).toEqual(['0', '2']);
    expect(await reads.count({ partitions: [2] })).toEqual(new Map([['sampled', 3]]));
  });
});

describe('damage', () => {
  const damages: [string, (path: string) => void][] = [
    ['emptied', (path) => truncateSync(path, 0)],
    ['no database', (path) => writeFileSync(path, 'x'.repeat(9_000))],
    [
      'its pages overwritten',
      (path) => {
        const file = openSync(path, 'r+');
        writeSync(file, Buffer.alloc(60_000, 0xff), 0, 60_000, 4_096);
        closeSync(file);
      },
    ],
  ];
  test.each(damages)('%s: the partition is begun anew', async (_, damage) => {
    const folder = freshFolder();
    const first = openReplica(folder, 1);
    expect(first.found).toBe('new');
    for (let offset = 0; offset < 300; offset += 1) {
      store(first.replica, offset, appendOf(`sample-${offset}`));
    }
    first.replica.close();
    const kept = openReplica(folder, 1);
    expect(kept.found).toBe('kept');
    kept.replica.close();
    damage(join(folder, 'partition-00001', 'events.sqlite'));
    const anew = openReplica(folder, 1);
    onTestFinished(() => anew.replica.close());
    expect([anew.found, anew.replica.progress()]).toEqual(['damaged', undefined]);
    store(anew.replica, 0, appendOf('sample-1'));
  });

  test('one that was removed is new', () => {
    const folder = freshFolder();
    const { replica } = openReplica(folder, 1);
    store(replica, 0, appendOf('sample-1'));
    replica.close();
    removeReplica(folder, 1);
    const again = openReplica(folder, 1);
    onTestFinished(() => again.replica.close());
    expect(again.found).toBe('new');
  });

  test('a log is no replica, and a replica no log', async () => {
    const folder = freshFolder();
    open(folder, 0);
    const opening = sqliteEventLog({ folder: join(folder, 'partition-00000') });
    await expect(opening).rejects.toMatchObject({ code: 'not-a-log' });
    const log = await sqliteEventLog({ folder: join(folder, 'partition-00001') });
    await log.close();
    expect(() => replicaReader(folder, 1)).toThrow('not a replica');
  });
});

test('a folder has one owner at a time', () => {
  const folder = join(freshFolder(), 'made', 'for it');
  const owner = ownReplicaFolder(folder);
  expect(() => ownReplicaFolder(folder)).toThrow('the replica of another process');
  owner.release();
  owner.release();
  ownReplicaFolder(folder).release();
});

test('a snapshot is a replica of its own, with how far it came; nothing is written over', async () => {
  const folder = freshFolder();
  const target = join(freshFolder(), 'snapshot');
  for (const partition of [0, 3]) {
    const replica = open(folder, partition);
    for (let offset = 0; offset < 5; offset += 1) store(replica, offset, appendOf('sample-1'));
  }
  const written = await snapshotReplica(folder, target);
  expect(written).toEqual({ kind: 'written', partitions: 2, events: 10 });
  // The first one goes on; the copy stays where it was.
  store(open(folder, 3), 9, appendOf('sample-1'));
  const copy = open(target, 3);
  expect(copy.progress()).toBe('at 4');
  expect((await readsOf(target, [0, 3]).read('start')).events).toHaveLength(10);
  expect(await snapshotReplica(folder, target)).toMatchObject({ kind: 'target-exists' });
  const none = snapshotReplica(join(folder, 'none'), target);
  await expect(none).rejects.toMatchObject({ code: 'not-a-log' });
});
