import { idFromKey, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import type { GenerationSpec, Table } from '@annals/projection';
import { allRows, at, Share } from '@annals/projection/contract';
import { afterAll, expect, test } from 'vitest';
import { cassandraProjectionStore } from './cassandra-projection-store.ts';
import { claimCassandraKeyspace } from './claim.ts';
import { connectCassandra } from './connection.ts';
import { limits } from './limits.ts';
import { readMarker, tableNamesOf } from './marker.ts';
import { openGenerationReader } from './reader.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';

const notes: Table = { name: 'notes', columns: { id: 'text', note: 'text' }, key: ['id'] };
const put = (id: string, note: string) => ({ table: 'notes', key: [id], row: { id, note } });

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  afterAll(() => keyspace.drop(), 120_000);

  const sample = async (
    projection: string,
    compact?: (tables: readonly string[]) => Promise<void>,
  ) => {
    const cassandra = await keyspace.connection();
    const store = cassandraProjectionStore({
      cassandra,
      projection,
      clock: systemClock,
      ...testLayout,
      ...(compact ? { compact } : {}),
    });
    const spec: GenerationSpec = {
      id: idFromKey('generation', projection),
      projection,
      version: 1,
      generation: 1,
      tables: [notes],
      workers: 1,
      split: 'stream',
    };
    await store.create(spec);
    const generation = await store.open(1);
    if (generation === 'lost') throw new Error('lost');
    const marker = await readMarker(cassandra, projection, 1);
    if (!marker) throw new Error('there is no marker');
    const table = `${cassandra.keyspace}.${tableNamesOf(marker)[0]?.rows}`;
    return { cassandra, generation, marker, table, share: await Share.take(generation) };
  };

  test('a row ahead of its checkpoint, as a restore in part brings back, makes the generation lost', async () => {
    const { cassandra, generation, table, share } = await sample('partial');
    await share.commit(put('a', 'one'));
    expect(await generation.load([put('a', '')])).toEqual([{ id: 'a', note: 'one' }]);
    await cassandra.execute(`UPDATE ${table} USING TIMESTAMP 9 SET annals_stamp = 9
      WHERE annals_bucket IN (0, 1, 2, 3) AND id = 'a'`);
    await expect(generation.load([put('a', '')])).rejects.toMatchObject({ code: 'store-lost' });
  });

  test('a batch that was begun and never decided, as a restore in part brings back, makes the generation lost', async () => {
    const { cassandra, generation, marker, share } = await sample('begun');
    await share.commit(put('a', 'one'));
    await cassandra.execute(
      `UPDATE ${cassandra.keyspace}.annals_applied USING TIMESTAMP 9 SET started = 9
       WHERE instance = ? AND worker = 0`,
      [marker.instance],
    );
    const taken = generation.acquire(0, 'next', Date.now() + 10_000_000, 1_000);
    await expect(taken).rejects.toMatchObject({ code: 'store-lost' });
  });

  test('a batch that was decided and whose journal is gone makes the generation lost, not wrong', async () => {
    const { cassandra, generation, marker } = await sample('journal');
    const decided = await cassandra.compareAndSet(
      `UPDATE ${cassandra.keyspace}.annals_workers SET seq = 1, checkpoint = ?, journal = ?
       WHERE instance = ? AND worker = 0 IF seq = 0`,
      ['0:0000000000000001', '{"ticket":"gone","chunks":2}', marker.instance],
    );
    expect(decided).toBe(true);
    const taken = generation.acquire(0, 'next', 100_000, 1_000);
    await expect(taken).rejects.toMatchObject({ code: 'store-lost' });
  });

  test('a long batch is written down in chunks, of which nothing stays', async () => {
    const { cassandra, generation, share } = await sample('chunks');
    const long = 'x'.repeat(1_000);
    const rows = Array.from({ length: 600 }, (_, n) => put(`n${n}`, long));
    await share.commit(...rows);
    const snapshot = await generation.snapshot();
    expect(await snapshot.count('notes')).toBe(600);
    await snapshot.close();
    expect(
      await cassandra.execute(`SELECT ticket FROM ${cassandra.keyspace}.annals_journals`),
    ).toEqual([]);
  });

  test('a purge says blocked unless it is told how nodes compact; then it names all tables', async () => {
    const without = await sample('purge-blocked');
    expect(await without.generation.purge?.()).toBe('blocked');
    const compacted: string[] = [];
    const { cassandra, generation, marker, table, share } = await sample(
      'purge',
      async (tables) => {
        compacted.push(...tables);
      },
    );
    await share.commit(put('a', 'secret'));
    await share.commit(put('a', 'erased'));
    expect(await generation.purge?.()).toBe('purged');
    expect(compacted).toEqual(expect.arrayContaining([table, 'system.paxos']));
    const [row] = await cassandra.execute(
      `SELECT journal FROM ${cassandra.keyspace}.annals_workers WHERE instance = ? AND worker = 0`,
      [marker.instance],
    );
    expect(row).toEqual({ journal: null });
    // The batch is there all the same, and the next one follows it.
    await share.commit(put('b', 'more'));
    expect(await generation.checkpoint()).toEqual(at(3));
  });

  test('a reader finds lost what is not there, and what another log made under the same number', async () => {
    const { cassandra, generation } = await sample('reader');
    const { spec } = generation;
    expect(await openGenerationReader(cassandra, spec)).not.toBe('lost');
    expect(await openGenerationReader(cassandra, { ...spec, generation: 2 })).toBe('lost');
    const id = idFromKey('generation', 'of another log');
    expect(await openGenerationReader(cassandra, { ...spec, id })).toBe('lost');
  });

  test('a keyspace belongs to the site that came first, until an operator says otherwise', async () => {
    const claimed = { url: keyspace.url, site: 'first' };
    await claimCassandraKeyspace(claimed);
    await claimCassandraKeyspace(claimed);
    const other = claimCassandraKeyspace({ ...claimed, site: 'second' });
    await expect(other).rejects.toMatchObject({ code: 'another-site' });
    await expect(other).rejects.toThrow(
      /is of site first, this is second.*truncate \S+annals_site/,
    );
    const cassandra = await keyspace.connection();
    await cassandra.schema(`TRUNCATE ${cassandra.keyspace}.annals_site`);
    await claimCassandraKeyspace({ ...claimed, site: 'second' });
  });

  test('no more snapshots are open than may be, and a closed one gives its place free', async () => {
    const { generation, share } = await sample('snapshots');
    await share.commit(put('a', 'one'));
    const open = [];
    for (let n = 0; n < limits.snapshotsMax; n += 1) open.push(await generation.snapshot());
    await expect(generation.snapshot()).rejects.toMatchObject({ code: 'overloaded' });
    await share.commit(put('a', 'two'));
    expect(await allRows(open[0] as (typeof open)[0], 'notes')).toEqual([{ id: 'a', note: 'one' }]);
    await open[3]?.close();
    const later = await generation.snapshot();
    expect(await allRows(later, 'notes')).toEqual([{ id: 'a', note: 'two' }]);
    for (const snapshot of [...open, later]) await snapshot.close();
  });
});

test('a cluster that is not there is said in one line, and in bounded time', async () => {
  const connecting = connectCassandra('cassandra://127.0.0.1:9/annals?datacenter=dc1');
  await expect(connecting).rejects.toMatchObject({
    name: 'CassandraStoreError',
    code: 'unreachable',
  });
});
