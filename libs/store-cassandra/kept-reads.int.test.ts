import { idFromKey, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import type { GenerationStore, RowChange, Table } from '@annals/projection';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { cassandraProjectionStore } from './cassandra-projection-store.ts';
import { type Bound, CassandraConnection } from './connection.ts';
import { type CassandraReader, openGenerationReader } from './reader.ts';
import { copyGeneration } from './testing/copy-generation.ts';
import { Delay, GatedConnection } from './testing/gated-connection.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';
import { parseCassandraUrl } from './url.ts';

const players: Table = {
  name: 'players',
  columns: { player: 'text', name: 'text' },
  key: ['player'],
};
const scores: Table = { ...players, name: 'scores' };

const position = (n: number) => String(n).padStart(16, '0');
const named = (player: string, name: string) => ({ player, name });
const put = (table: string, player: string, name: string): RowChange => ({
  ...{ table, key: [player], row: named(player, name) },
});
const keys = ['ann', 'bob', 'nobody'].map((player) => ({ table: 'players', key: [player] }));

/** Counts the queries for rows of `players`. */
class CountingConnection extends CassandraConnection {
  asked = 0;

  override execute(query: string, params: readonly Bound[] = []) {
    if (/^SELECT annals_stamp.*_players/s.test(query)) this.asked += 1;
    return super.execute(query, params);
  }
}

/** A program of before: it says that a batch is begun, and not what it changes. */
class OlderConnection extends CassandraConnection {
  isOlder = false;

  override execute(query: string, params: readonly Bound[] = []) {
    const isSaid = this.isOlder && query.includes('SET started = ?, changed = ?');
    if (!isSaid) return super.execute(query, params);
    return super.execute(query.replace(', changed = ?', ''), params.toSpliced(2, 1));
  }
}

async function opened<C extends CassandraConnection>(connection: C): Promise<C> {
  await connection.connect();
  onTestFinished(() => connection.close());
  return connection;
}

const projection = 'kept';

await describeOn('cassandra', 'Rows that a reader on Cassandra keeps', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  afterAll(() => keyspace.drop(), 120_000);
  const place = parseCassandraUrl(keyspace.url);
  let generations = 0;

  const storeOn = (cassandra: CassandraConnection) =>
    cassandraProjectionStore({ cassandra, projection, clock: systemClock, ...testLayout });

  /** Commits to a share of a generation, as the process of a projector does that has just begun. */
  const writerOf = async (generation: GenerationStore, worker: number, holder = 'test') => {
    const begun = Date.now() + (holder === 'test' ? 0 : 3_600_000);
    const lease = await generation.acquire(worker, holder, begun, 60_000);
    if (lease.kind !== 'acquired') throw new Error('busy');
    let { checkpoint: from, batches: after } = lease;
    return async (...changes: readonly RowChange[]) => {
      const to = { ...from, [worker]: position(after + 1) };
      const batch = { worker, epoch: lease.epoch, from, to, after, tail: '', changes };
      expect(await generation.commit(batch)).toEqual({ kind: 'applied' });
      from = to;
      after += 1;
    };
  };

  /** A generation, and a reader in another process. */
  const site = async ({ connection, workers = 1 }: SiteOptions = {}) => {
    const store = storeOn(connection ?? (await keyspace.connection()));
    generations += 1;
    const spec = {
      ...{ id: idFromKey('generation', `kept ${generations}`), projection, version: 1 },
      ...{
        generation: generations,
        tables: [players, scores],
        workers,
        split: 'partition' as const,
      },
    };
    await store.create(spec);
    const generation = (await store.open(spec.generation)) as GenerationStore;
    const counting = await opened(new CountingConnection(place));
    const reader = (await openGenerationReader(counting, spec)) as CassandraReader;
    const read = async (
      between?: () => Promise<unknown>,
      options?: { readonly readsMax: number },
    ) => {
      const before = counting.asked;
      const { value, exact } = await reader.read(async (reads) => {
        const rows = await reads.loadKept(keys);
        await between?.();
        return rows;
      }, options);
      return { names: value.map((row) => row?.name), exact, asked: counting.asked - before };
    };
    return { generation, commit: await writerOf(generation, 0), read };
  };

  interface SiteOptions {
    readonly connection?: CassandraConnection;
    readonly workers?: number;
  }

  test('cost no query while other tables change, and never hide a change', async () => {
    const { commit, read } = await site();
    await commit(put('players', 'ann', 'Ann'), put('players', 'bob', 'Bob'));
    expect(await read()).toMatchObject({ names: ['Ann', 'Bob', undefined], exact: true });
    for (const turn of [1, 2, 3]) {
      await commit(put('scores', 'ann', `${turn}`));
      expect(await read()).toEqual({ names: ['Ann', 'Bob', undefined], exact: true, asked: 0 });
    }
    await commit(put('players', 'ann', 'Anna'), { table: 'players', key: ['bob'], row: null });
    const seen = await read();
    expect(seen).toMatchObject({ names: ['Anna', undefined, undefined], exact: true });
    expect(seen.asked).toBeGreaterThan(0);
    expect(await read()).toEqual({ names: ['Anna', undefined, undefined], exact: true, asked: 0 });
  });

  test('are used while batches of other tables never end', async () => {
    const { commit, read } = await site();
    await commit(put('players', 'ann', 'Ann'));
    await read();
    const busy = await read(() => commit(put('scores', 'ann', '1')));
    expect(busy).toEqual({ names: ['Ann', undefined, undefined], exact: false, asked: 0 });
  });

  test('are those of all workers', async () => {
    const { generation, commit, read } = await site({ workers: 2 });
    const other = await writerOf(generation, 1);
    await commit(put('players', 'ann', 'Ann'));
    await other(put('players', 'bob', 'Bob'));
    await read();
    expect(await read()).toEqual({ names: ['Ann', 'Bob', undefined], exact: true, asked: 0 });
    await other(put('players', 'bob', 'Bert'));
    expect(await read()).toMatchObject({ names: ['Ann', 'Bert', undefined], exact: true });
  });

  test('are read again where they change under a read, also where that is to read once', async () => {
    const { commit, read } = await site();
    await commit(put('players', 'ann', 'Ann'));
    await read();
    let turn = 0;
    const rename = async () => {
      turn += 1;
      if (turn === 1) await commit(put('players', 'ann', 'Anna'));
    };
    expect(await read(rename, { readsMax: 1 })).toMatchObject({
      names: ['Anna', undefined, undefined],
    });
    expect(turn).toBe(2);
  });

  test('are not those of a batch whose rows are not all written', async () => {
    const gated = await opened(new GatedConnection(place));
    const { commit, read } = await site({ connection: gated });
    await commit(put('players', 'ann', 'Ann'));
    await read();
    const delay = new Delay((query) => query.includes('_players'));
    gated.gate = delay.gate;
    const late = commit(put('players', 'ann', 'Anna'));
    await delay.first;
    // Read beside it, the row is the old one still, and is not kept.
    for (const _ of [1, 2]) {
      const beside = await read(undefined, { readsMax: 1 });
      expect(beside).toMatchObject({ names: ['Ann', undefined, undefined], exact: false });
      expect(beside.asked).toBeGreaterThan(0);
    }
    delay.letGo();
    await late;
    expect(await read()).toMatchObject({ names: ['Anna', undefined, undefined], exact: true });
  });

  test('are right when another process goes on, also with the batch that the first one began', async () => {
    const gated = await opened(new GatedConnection(place));
    const { generation, commit, read } = await site({ connection: gated });
    await commit(put('players', 'ann', 'Ann'));
    await read();
    // It dies when it has said what it changes, and before it has written a row.
    const dead = new Delay((query) => query.includes('_players'));
    gated.gate = dead.gate;
    const never = commit(put('players', 'ann', 'Anna'));
    never.catch(() => undefined);
    await dead.first;
    const second = (await storeOn(await keyspace.connection()).open(
      generation.spec.generation,
    )) as GenerationStore;
    const next = await writerOf(second, 0, 'another');
    expect(await read()).toMatchObject({ names: ['Anna', undefined, undefined], exact: true });
    await next(put('scores', 'ann', '1'));
    expect(await read()).toEqual({ names: ['Anna', undefined, undefined], exact: true, asked: 0 });
    dead.letGo();
    await never.catch(() => undefined);
    expect(await read()).toMatchObject({ names: ['Anna', undefined, undefined], exact: true });
  });

  test('are asked for after batches of a program that does not say what it changes, until one that does', async () => {
    const older = await opened(new OlderConnection(place));
    const { generation, commit, read } = await site({ connection: older });
    await commit(put('players', 'ann', 'Ann'));
    await read();
    expect((await read()).asked).toBe(0);
    older.isOlder = true;
    for (const name of ['Anna', 'Anne']) {
      await commit(put('players', 'ann', name));
      for (const _ of [1, 2]) {
        const seen = await read();
        expect(seen).toMatchObject({ names: [name, undefined, undefined], exact: true });
        expect(seen.asked).toBeGreaterThan(0);
      }
    }
    const newer = await storeOn(await keyspace.connection()).open(generation.spec.generation);
    const next = await writerOf(newer as GenerationStore, 0, 'another');
    await next(put('scores', 'ann', '1'));
    await read();
    expect(await read()).toEqual({ names: ['Anne', undefined, undefined], exact: true, asked: 0 });
  });

  test('are forgotten where the store goes back', async () => {
    const { generation, commit, read } = await site();
    const connection = await keyspace.connection();
    await commit(put('players', 'ann', 'Ann'));
    const restore = await copyGeneration(connection, projection, generation.spec.generation);
    await commit(put('players', 'ann', 'Anna'));
    await read();
    expect(await read()).toEqual({ names: ['Anna', undefined, undefined], exact: true, asked: 0 });
    await restore();
    expect(await read()).toMatchObject({ names: ['Ann', undefined, undefined] });
  });

  test('are not those of a store that went back to where their batch was being written', async () => {
    const { commit, read } = await site();
    const connection = await keyspace.connection();
    const applied = `${connection.keyspace}.annals_applied`;
    await commit(put('players', 'ann', 'Ann'));
    await commit(put('players', 'ann', 'Anna'));
    await read();
    expect((await read()).asked).toBe(0);
    // The very same batch, with the same mark, and said to be begun only.
    const rows = await connection.execute(`SELECT * FROM ${applied}`);
    await connection.schema(`TRUNCATE ${applied}`);
    for (const { instance, worker, started, changed, checkpoint } of rows) {
      await connection.execute(
        `INSERT INTO ${applied} (instance, worker, seq, started, changed, checkpoint) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP 1`,
        [
          ...[String(instance), Number(worker), BigInt(Number(started)) - 1n],
          ...[BigInt(Number(started)), String(changed), String(checkpoint)],
        ],
      );
    }
    expect((await read(undefined, { readsMax: 1 })).asked).toBeGreaterThan(0);
    expect((await read(undefined, { readsMax: 1 })).asked).toBeGreaterThan(0);
  });
});
