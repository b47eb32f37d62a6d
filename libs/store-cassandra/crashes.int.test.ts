import { idFromKey, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { advance, type Checkpoint, covers } from '@annals/event-log';
import type { GenerationStore, Row, RowChange, Table } from '@annals/projection';
import { allRows } from '@annals/projection/contract';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { cassandraProjectionStore } from './cassandra-projection-store.ts';
import type { CassandraConnection } from './connection.ts';
import {
  Crash,
  crashAfter,
  Delay,
  ForgetfulConnection,
  GatedConnection,
} from './testing/gated-connection.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';

/** A total that events add to: an event applied twice, or not at all, shows. */
const totals: Table = {
  name: 'totals',
  columns: { player: 'text', points: 'integer', events: 'integer' },
  key: ['player'],
  ranked: { group: [], score: 'points' },
};

interface Scored {
  readonly partition: number;
  readonly position: string;
  readonly player: string;
  readonly points: number;
  /** Forgets the player: the row is deleted, and may come again. */
  readonly leaves?: boolean;
}

const players = ['ann', 'bob', 'cid', 'dan', 'eve', 'fay'];

function event(n: number, partition = 0): Scored {
  const position = String(n).padStart(16, '0');
  const player = players[(n * 5 + partition) % players.length] as string;
  return { partition, position, player, points: 1 + ((n * 7) % 10), leaves: n % 11 === 0 };
}

function apply(row: Row | undefined, { player, points, leaves }: Scored): Row | undefined {
  if (leaves) return undefined;
  const before = row ?? { points: 0, events: 0 };
  return { player, points: Number(before.points) + points, events: Number(before.events) + 1 };
}

function naive(events: readonly Scored[]): Row[] {
  const rows = new Map<string, Row | undefined>();
  for (const one of events) rows.set(one.player, apply(rows.get(one.player), one));
  return [...rows.values()]
    .filter((row) => row !== undefined)
    .sort((a, b) => (String(a.player) < String(b.player) ? -1 : 1));
}

/** A projector's process: it dies with its connection. */
class Process {
  readonly #generation: GenerationStore;
  readonly #worker: number;
  #epoch = 0;
  #batches = 0;
  checkpoint: Checkpoint = {};

  constructor(generation: GenerationStore, worker = 0) {
    this.#generation = generation;
    this.#worker = worker;
  }

  async takeOver(holder: string): Promise<void> {
    // Whoever held it is dead, or taken for dead: it is later than his lease lasts.
    const now = Date.now() + 100_000 * Number(holder);
    const lease = await this.#generation.acquire(this.#worker, holder, now, 10_000);
    if (lease.kind === 'busy') throw new Error(`${lease.holder} holds it`);
    this.#epoch = lease.epoch;
    this.checkpoint = lease.checkpoint;
    this.#batches = lease.batches;
  }

  /** Folds what the checkpoint does not cover yet, in batches of this size. */
  async fold(events: readonly Scored[], batchEvents: number): Promise<string> {
    const left = events.filter(
      ({ partition, position }) => !covers(this.checkpoint, partition, position),
    );
    for (let start = 0; start < left.length; start += batchEvents) {
      const kind = await this.commit(left.slice(start, start + batchEvents));
      if (kind !== 'applied') return kind;
    }
    return 'applied';
  }

  async commit(events: readonly Scored[]): Promise<string> {
    const names = [...new Set(events.map(({ player }) => player))];
    const loaded = await this.#generation.load(
      names.map((player) => ({ table: totals.name, key: [player] })),
    );
    const rows = new Map(names.map((player, n) => [player, loaded[n]]));
    let to = this.checkpoint;
    for (const one of events) {
      rows.set(one.player, apply(rows.get(one.player), one));
      to = advance(to, one.partition, one.position);
    }
    const changes: RowChange[] = [...rows].map(([player, row]) => ({
      table: totals.name,
      key: [player],
      row: row ?? null,
    }));
    const from = this.checkpoint;
    const batch = { worker: this.#worker, epoch: this.#epoch, from, to, tail: '', changes };
    const { kind } = await this.#generation.commit({ ...batch, after: this.#batches });
    if (kind === 'applied' || kind === 'already-applied') {
      this.checkpoint = to;
      this.#batches += 1;
    }
    return kind;
  }
}

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  let shared: CassandraConnection;
  let generations = 0;
  beforeAll(async () => {
    shared = await keyspace.connection();
  });
  afterAll(() => keyspace.drop(), 120_000);

  const open = async (connection: CassandraConnection, generation: number) => {
    const clock = systemClock;
    const projection = 'crashes';
    const store = cassandraProjectionStore({
      cassandra: connection,
      projection,
      clock,
      ...testLayout,
    });
    await store.create({
      id: idFromKey('generation', String(generation)),
      projection,
      version: 1,
      generation,
      tables: [totals],
      workers: 2,
      split: 'partition',
    });
    const opened = await store.open(generation);
    if (opened === 'lost') throw new Error('lost');
    return opened;
  };

  /** A new generation, and a process on it whose writes can be lost or late. */
  const doomed = async () => {
    generations += 1;
    const gated = await GatedConnection.open(keyspace.url);
    onTestFinished(() => gated.close());
    const generation = await open(gated, generations);
    return { gated, generation, number: generations };
  };

  const rowsOf = async (generation: GenerationStore) => {
    const snapshot = await generation.snapshot();
    const rows = await allRows(snapshot, totals.name);
    expect(await snapshot.problems()).toEqual([]);
    await snapshot.close();
    return rows;
  };

  describe('a process that dies in the midst of a commit', () => {
    const events = Array.from({ length: 60 }, (_, n) => event(n + 1));

    test('at whatever write: the next one, with other batch borders, counts every event once', async () => {
      const { gated, generation, number } = await doomed();
      await generation.finishBuilding?.();
      const first = new Process(generation);
      await first.takeOver('1');
      await first.fold(events.slice(0, 10), 4);
      let deaths = 0;
      for (let writes = 0; ; writes += 1) {
        // Each death comes one write later: before the journal, before and after the decision, between rows.
        const victim = new Process(await open(gated, number));
        gated.gate = () => Promise.resolve();
        await victim.takeOver(String(10 + writes));
        const done = events.findIndex((one) => !covers(victim.checkpoint, 0, one.position));
        const upTo = done < 0 ? events.length : Math.min(events.length, done + 5);
        const gate = crashAfter(writes);
        gated.gate = gate;
        const died = await victim.fold(events.slice(0, upTo), 5).catch((error: unknown) => error);
        if (!gate.reached()) break;
        expect(died).toBeInstanceOf(Crash);
        deaths += 1;
        const next = new Process(await open(shared, number));
        await next.takeOver(String(1_000 + writes));
        const further = events.findIndex((one) => !covers(next.checkpoint, 0, one.position));
        await next.fold(events.slice(0, Math.max(0, further) + 2), 2);
        const counted = events.filter((one) => covers(next.checkpoint, 0, one.position));
        expect(await rowsOf(await open(shared, number))).toEqual(naive(counted));
      }
      // Journal and decision are one write; five rows, their ranks, and what readers see are several.
      expect(deaths).toBeGreaterThan(4);
    }, 120_000);

    test('decided but not written: it is the next holder who writes it', async () => {
      const { gated, generation, number } = await doomed();
      const victim = new Process(generation);
      await victim.takeOver('1');
      gated.gate = crashAfter(1);
      await expect(victim.fold(events.slice(0, 7), 7)).rejects.toThrow(Crash);
      const other = await open(shared, number);
      expect(await other.checkpoint()).toEqual({});
      const next = new Process(other);
      await next.takeOver('2');
      expect(next.checkpoint).toEqual({ 0: events[6]?.position });
      expect(await other.checkpoint()).toEqual({ 0: events[6]?.position });
      expect(await rowsOf(other)).toEqual(naive(events.slice(0, 7)));
    });
  });

  describe('a process that was taken for dead', () => {
    const events = Array.from({ length: 80 }, (_, n) => event(n + 1));
    const isRow = (query: string) => query.includes('_totals');

    test('and whose rows come late changes nothing', async () => {
      const { gated, generation, number } = await doomed();
      await generation.finishBuilding?.();
      const zombie = new Process(generation);
      await zombie.takeOver('1');
      await zombie.fold(events.slice(0, 9), 3);
      const delay = new Delay(isRow);
      gated.gate = delay.gate;
      const late = zombie.fold(events.slice(0, 29), 20);
      await delay.first;
      const other = await open(shared, number);
      const next = new Process(other);
      await next.takeOver('2');
      // What was decided counts; the next one goes on from there with borders of its own.
      expect(next.checkpoint).toEqual({ 0: events[28]?.position });
      expect(await next.fold(events.slice(0, 64), 7)).toBe('applied');
      delay.letGo();
      expect(await late).toBe('applied');
      expect(await rowsOf(other)).toEqual(naive(events.slice(0, 64)));
      expect(await other.checkpoint()).toEqual({ 0: events[63]?.position });
    });

    test('and decides too late is refused, and has written no row', async () => {
      const { gated, generation, number } = await doomed();
      const zombie = new Process(generation);
      await zombie.takeOver('1');
      await zombie.fold(events.slice(0, 9), 3);
      const delay = new Delay((_, cas) => cas);
      gated.gate = delay.gate;
      const late = zombie.fold(events.slice(0, 33), 24);
      await delay.first;
      const other = await open(shared, number);
      const next = new Process(other);
      await next.takeOver('2');
      expect(next.checkpoint).toEqual({ 0: events[8]?.position });
      expect(await next.fold(events.slice(0, 20), 4)).toBe('applied');
      delay.letGo();
      expect(await late).toBe('stale');
      expect(await rowsOf(other)).toEqual(naive(events.slice(0, 20)));
      expect(await next.fold(events, 13)).toBe('applied');
      expect(await rowsOf(other)).toEqual(naive(events));
    });
  });

  test('decisions that took effect though the server denies it are neither lost nor made twice', async () => {
    const forgetful = await ForgetfulConnection.open(keyspace.url);
    onTestFinished(() => forgetful.close());
    generations += 1;
    const generation = await open(forgetful, generations);
    await generation.finishBuilding?.();
    const events = Array.from({ length: 40 }, (_, n) => event(n + 1));
    const process = new Process(generation);
    await process.takeOver('1');
    for (let start = 0; start < events.length; start += 5) {
      const kind = await process.commit(events.slice(start, start + 5));
      expect(['applied', 'already-applied']).toContain(kind);
      if (start % 10 === 0) {
        expect(await rowsOf(generation)).toEqual(naive(events.slice(0, start + 5)));
      }
    }
    expect(await rowsOf(generation)).toEqual(naive(events));
    const shares = await generation.shares();
    const reached = shares.map(({ checkpoint }) => checkpoint);
    expect(reached).toEqual([{ 0: events.at(-1)?.position }, {}]);
  });

  describe('two partitions that feed one total', () => {
    const zero = Array.from({ length: 30 }, (_, n) => ({ ...event(n + 1, 0), leaves: false }));
    const two = Array.from({ length: 30 }, (_, n) => ({ ...event(n + 1, 2), leaves: false }));

    test('read by one worker: dead or late in another order of events, each counts once', async () => {
      const { gated, generation, number } = await doomed();
      const turns = zero.flatMap((one, n) => [one, two[n] as Scored]);
      const victim = new Process(generation);
      await victim.takeOver('1');
      await victim.fold(turns.slice(0, 8), 3);
      gated.gate = crashAfter(2);
      await expect(victim.fold(turns.slice(0, 23), 15)).rejects.toThrow(Crash);
      const other = await open(shared, number);
      const next = new Process(other);
      await next.takeOver('2');
      // Partition 2 comes first now: positions are compared within a partition only.
      expect(await next.fold([...two, ...zero], 7)).toBe('applied');
      const counted = naive([...zero, ...two]);
      expect(await rowsOf(other)).toEqual(counted);
      expect(counted.reduce((sum, row) => sum + Number(row.events), 0)).toBe(60);
    });

    test('read by two workers: each has its own row, and their sum is right after crashes of both', async () => {
      const { generation } = await doomed();
      const named = (events: readonly Scored[], worker: number) =>
        events.map((one) => ({ ...one, player: `total/${worker}` }));
      const parts = [
        named(zero, 0),
        named(
          two.map((one) => ({ ...one, partition: 1 })),
          1,
        ),
      ];
      const number = generations;
      await Promise.all(
        parts.map(async (events, worker) => {
          const gated = await GatedConnection.open(keyspace.url);
          onTestFinished(() => gated.close());
          const victim = new Process(await open(gated, number), worker);
          await victim.takeOver('1');
          gated.gate = crashAfter(4 + worker);
          await expect(victim.fold(events, 4)).rejects.toThrow(Crash);
          const next = new Process(await open(shared, number), worker);
          await next.takeOver('2');
          expect(await next.fold(events, 9)).toBe('applied');
        }),
      );
      const rows = await rowsOf(generation);
      const sum = [...zero, ...two].reduce((points, one) => points + one.points, 0);
      expect(rows.map(({ player }) => player)).toEqual(['total/0', 'total/1']);
      expect(rows.reduce((points, row) => points + Number(row.points), 0)).toBe(sum);
    });
  });
});
