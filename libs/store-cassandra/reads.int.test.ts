import { idFromKey, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import type { Cell, GenerationStore, RowChange, Table } from '@annals/projection';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { cassandraProjectionStore } from './cassandra-projection-store.ts';
import type { CassandraConnection } from './connection.ts';
import { cassandraLiveReader } from './live-reader.ts';
import { readMarker, tableNamesOf } from './marker.ts';
import { type CassandraReader, openGenerationReader } from './reader.ts';
import { migrate, projectionSchema, type SchemaPart } from './schema.ts';
import { Delay, GatedConnection } from './testing/gated-connection.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';

const scores: Table = {
  name: 'scores',
  columns: { board: 'text', player: 'text', score: 'integer', at: 'integer' },
  key: ['board', 'player'],
  indexes: { standing: ['board', 'score', 'at', 'player'] },
  ranked: { group: ['board'], score: 'score' },
};

type Players = ReadonlyMap<string, number | null>;

const position = (n: number) => String(n).padStart(16, '0');
const put = (player: string, score: number | null): RowChange => ({
  table: 'scores',
  key: ['b', player],
  row: score === null ? null : { board: 'b', player, score, at: 0 },
});

/** Numbers that look random, the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  let shared: CassandraConnection;
  let generations = 0;
  beforeAll(async () => {
    shared = await keyspace.connection();
  });
  afterAll(() => keyspace.drop(), 120_000);

  const make = async (workers: number, connection: CassandraConnection = shared) => {
    generations += 1;
    const options = { cassandra: connection, projection: 'reads', clock: systemClock };
    const store = cassandraProjectionStore({ ...options, ...testLayout });
    await store.create({
      ...{ id: idFromKey('generation', String(generations)), projection: 'reads', version: 1 },
      ...{ generation: generations, tables: [scores], workers, split: 'partition' },
    });
    const generation = (await store.open(generations)) as GenerationStore;
    const reader = (await openGenerationReader(shared, generation.spec)) as CassandraReader;
    return { generation, reader, store };
  };

  /** Takes a share, and gives a function that commits to it. */
  const shareOf = async (generation: GenerationStore, worker: number) => {
    const lease = await generation.acquire(worker, 'test', Date.now(), 3_600_000);
    if (lease.kind !== 'acquired') throw new Error('busy');
    let n = 0;
    return async (changes: readonly RowChange[]) => {
      const from = n === 0 ? {} : { [worker]: position(n) };
      const after = n;
      n += 1;
      const to = { [worker]: position(n) };
      const { epoch } = lease;
      expect(
        await generation.commit({ worker, epoch, from, to, after, tail: '', changes }),
      ).toEqual({
        kind: 'applied',
      });
    };
  };

  const problemsOf = async (generation: GenerationStore) => {
    const snapshot = await generation.snapshot();
    const problems = await snapshot.problems();
    await snapshot.close();
    return problems;
  };

  describe('ranks', () => {
    const expectRanks = async (reader: CassandraReader, players: Players, asked: number[]) => {
      const held = [...players.values()].filter((score) => score !== null).sort((a, b) => a - b);
      const distinct = [...new Set(held)];
      const { value, exact } = await reader.read(async (reads) => {
        const ranks = reads.ranks('scores', ['b']);
        const places = [0, 1, Math.floor(held.length / 2), held.length - 1, held.length];
        return {
          counts: await ranks.counts(asked),
          distinct: await ranks.distinct(asked),
          selected: await Promise.all(places.map((place) => ranks.select(place))),
          places,
        };
      });
      expect(exact).toBe(true);
      expect(value.counts).toEqual({
        total: held.length,
        counts: asked.map((score) => ({
          below: held.filter((one) => one < score).length,
          at: held.filter((one) => one === score).length,
        })),
      });
      expect(value.distinct).toEqual({
        total: distinct.length,
        below: asked.map((score) => distinct.filter((one) => one < score).length),
        exact: true,
      });
      expect(value.selected).toEqual(
        value.places.map((place) => {
          const score = held[place];
          if (score === undefined) return undefined;
          const at = held.filter((one) => one === score).length;
          return { score, below: held.filter((one) => one < score).length, at };
        }),
      );
    };

    test.each([1, 3])(
      'of rows that %i workers write agree with an array that is sorted',
      async (workers) => {
        const { generation, reader } = await make(workers);
        const shares = await Promise.all(
          Array.from({ length: workers }, (_, worker) => shareOf(generation, worker)),
        );
        const random = numbers(workers);
        const anyScore = () => {
          const near = random(40) - 20;
          return [near, near * 511, near * 2 ** 30, near * 2 ** 48, near * 512][
            random(5)
          ] as number;
        };
        const players = new Map<string, number | null>();
        for (let round = 0; round < 6; round += 1) {
          if (round === 3) await generation.finishBuilding?.();
          const batches = shares.map((commit, worker) => {
            const changes = Array.from({ length: 60 }, (_, n) => {
              const score = random(6) === 0 ? null : anyScore();
              return put(`w${worker}-${(round * 20 + n) % 90}`, score);
            });
            for (const { key, row } of changes) {
              players.set(key[1] as string, row ? (row.score as number) : null);
            }
            return () => commit(changes);
          });
          await Promise.all(batches.map((batch) => batch()));
          const asked = [
            anyScore(),
            0,
            anyScore(),
            Number.MIN_SAFE_INTEGER,
            Number.MAX_SAFE_INTEGER,
          ];
          await expectRanks(reader, players, asked);
        }
        expect(await problemsOf(generation)).toEqual([]);
      },
    );

    test('go on to be right when another process takes the share over, and back', async () => {
      const { generation, reader } = await make(1);
      const other = (await make(1)).store;
      const second = (await other.open(generation.spec.generation)) as GenerationStore;
      let n = 0;
      for (const [turn, one] of [generation, second, generation, second].entries()) {
        const lease = await one.acquire(0, `holder-${turn}`, Date.now() + turn * 100_000, 10_000);
        if (lease.kind !== 'acquired') throw new Error('busy');
        const to = { 0: position(n + 1) };
        const changes = [put('ann', 10 * turn), put(`p${turn}`, 5)];
        const { epoch, checkpoint: from, batches: after } = lease;
        const batch = { worker: 0, epoch, from, to, after, tail: '', changes };
        expect(await one.commit(batch)).toEqual({ kind: 'applied' });
        n += 1;
      }
      const { value } = await reader.read((reads) => reads.ranks('scores', ['b']).counts([30, 5]));
      expect(value).toEqual({
        total: 5,
        counts: [
          { below: 4, at: 1 },
          { below: 0, at: 4 },
        ],
      });
      expect(await problemsOf(generation)).toEqual([]);
    });

    test('that do not fit the rows are told', async () => {
      const { generation } = await make(1);
      const commit = await shareOf(generation, 0);
      await commit([put('ann', 7), put('bob', 9)]);
      expect(await problemsOf(generation)).toEqual([]);
      const marker = await readMarker(shared, 'reads', generation.spec.generation);
      const names = marker && tableNamesOf(marker);
      const rows = `${shared.keyspace}.${names?.[0]?.rows}`;
      const [row] = await shared.execute(
        `SELECT annals_bucket FROM ${rows} WHERE player = 'bob' ALLOW FILTERING`,
      );
      await shared.execute(
        `DELETE FROM ${rows} WHERE annals_bucket = ? AND board = 'b' AND player = 'bob'`,
        [row?.annals_bucket as number],
      );
      expect(await problemsOf(generation)).toEqual(['ranks of scores: 2 counted for 1 rows']);
    });
  });

  describe('a read', () => {
    test('that a batch is written beside is not exact, and covers what was there before', async () => {
      const gated = await GatedConnection.open(keyspace.url);
      onTestFinished(() => gated.close());
      const { generation, reader } = await make(1, gated);
      await generation.finishBuilding?.();
      const commit = await shareOf(generation, 0);
      await commit([put('ann', 7)]);
      const total = () =>
        reader.read(async (reads) => (await reads.ranks('scores', ['b']).counts([])).total);
      expect(await total()).toEqual({ value: 1, checkpoint: { 0: position(1) }, exact: true });
      const delay = new Delay((query) => query.includes('_order'));
      gated.gate = delay.gate;
      const late = commit([put('bob', 9)]);
      await delay.first;
      expect(await total()).toMatchObject({ checkpoint: { 0: position(1) }, exact: false });
      delay.letGo();
      await late;
      expect(await total()).toEqual({ value: 2, checkpoint: { 0: position(2) }, exact: true });
    });

    test('of an order is gathered from all partitions, up and down, from any place', async () => {
      const { generation, reader } = await make(1);
      const commit = await shareOf(generation, 0);
      const random = numbers(5);
      const players = Array.from({ length: 700 }, (_, n) => [`p${n}`, random(50)] as const);
      await commit(players.map(([player, score]) => put(player, score)));
      await generation.finishBuilding?.();
      const sorted = players
        .map(([player, score]) => ({ player, score }))
        .sort((a, b) => a.score - b.score || (a.player < b.player ? -1 : 1));
      const middle = sorted[350] as (typeof sorted)[0];
      const place: readonly Cell[] = [middle.score, 0, middle.player];
      const { value } = await reader.read(async (reads) => {
        const order = reads.order('scores', 'standing', ['b']);
        return Promise.all([
          order.forward({ skip: 123, limit: 456 }),
          order.forward({ after: place, limit: 40 }),
          order.backward({ before: place, limit: 40 }),
          order.forward({ from: [middle.score], limit: 1 }),
          order.backward({ before: [0], limit: 5 }),
        ]);
      });
      const [whole, after, before, from, none] = value.map((rows) => rows.map((row) => row.player));
      const names = sorted.map(({ player }) => player);
      expect(whole).toEqual(names.slice(123, 579));
      expect(after).toEqual(names.slice(351, 391));
      expect(before).toEqual(names.slice(310, 350).reverse());
      expect(from).toEqual([sorted.find(({ score }) => score === middle.score)?.player]);
      expect(none).toEqual([]);
    });
  });

  describe('a live reader', () => {
    test('turns to the generation that becomes live, and notices when it goes', async () => {
      const first = await make(1);
      const second = await make(1);
      let live = first.generation.spec;
      const reader = cassandraLiveReader({
        ...{ cassandra: shared, projection: 'reads', clock: systemClock },
        liveGeneration: () => live,
      });
      onTestFinished(() => reader.close());
      expect(await reader.current()).toEqual({ kind: 'building' });
      await first.generation.finishBuilding?.();
      await second.generation.finishBuilding?.();
      await expect
        .poll(async () => (await reader.current()).kind, { timeout: 10_000 })
        .toBe('ready');
      live = second.generation.spec;
      expect(await reader.current()).toMatchObject({ generation: live.generation });
      await second.store.drop(live.generation);
      expect(await reader.waitFor({ 0: position(1) }, { timeoutMs: 20_000 })).toBe('lost');
      expect(await reader.current()).toMatchObject({ kind: 'lost' });
    });

    test('finds lost what is known to have diverged', async () => {
      const { generation } = await make(1);
      await generation.finishBuilding?.();
      const reader = cassandraLiveReader({
        ...{ cassandra: shared, projection: 'reads', clock: systemClock },
        liveGeneration: () => generation.spec,
        diverged: new Set([generation.spec.id]),
      });
      onTestFinished(() => reader.close());
      expect(await reader.current()).toMatchObject({ kind: 'lost' });
    });
  });

  describe('the schema', () => {
    const other = new TestKeyspace(engine.url);
    afterAll(() => other.drop(), 120_000);
    const { steps } = projectionSchema;

    test('is brought from its first version to this one, by several processes at once', async () => {
      const connection = await other.connection();
      const first: SchemaPart = { ...projectionSchema, steps: steps.slice(0, 1) };
      await migrate(connection, first);
      const columns = async () => {
        const rows = await connection.execute(
          `SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = 'annals_applied'`,
          [connection.keyspace],
        );
        return rows.map(({ column_name }) => column_name);
      };
      expect(await columns()).not.toContain('started');
      const second = await GatedConnection.open(other.url);
      onTestFinished(() => second.close());
      await Promise.all(
        [connection, second, connection].map((one) => migrate(one, projectionSchema)),
      );
      expect(await columns()).toEqual(expect.arrayContaining(['started', 'changed']));
      // Once more changes nothing; a program of before does not work with what it does not know.
      await migrate(second, projectionSchema);
      await expect(migrate(second, first)).rejects.toMatchObject({ code: 'newer-format' });
    });
  });
});
