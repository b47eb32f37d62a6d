import { idFromKey, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import type { GenerationSpec, Table } from '@annals/projection';
import { at, rowsOf, Share } from '@annals/projection/contract';
import { expect, onTestFinished, test, vi } from 'vitest';
import { cassandraProjectionStore } from './cassandra-projection-store.ts';
import { connectCassandra } from './connection.ts';
import { readMarker, tableNamesOf } from './marker.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';

// Programs of Java start slowly on a busy machine.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 120_000 });

const notes: Table = { name: 'notes', columns: { id: 'text', note: 'text' }, key: ['id'] };
const put = (id: string, note: string) => ({ table: 'notes', key: [id], row: { id, note } });
const remove = (id: string) => ({ table: 'notes', key: [id], row: null });

await describeOn(
  'cassandra-auth',
  'On a Cassandra that asks who its clients are',
  (engine) => {
    const keyspace = new TestKeyspace(engine.url);

    test('another password, and none, are refused in one line that shows no password', async () => {
      const wrong = keyspace.url.replace('cassandra:cassandra@', 'cassandra:secret@');
      const none = keyspace.url.replace('cassandra:cassandra@', '');
      for (const url of [wrong, none]) {
        const error = await connectCassandra(url).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ name: 'CassandraStoreError', code: 'refused' });
        const { message } = error as Error;
        expect(message).toMatch(/^Cassandra refuses us: check user, password/);
        expect(message).not.toMatch(/secret|\n/);
      }
    });

    test('after a compaction the read model is the same, and what was late stays out', async (context) => {
      const { nodetool } = engine;
      if (!nodetool) return context.skip('nodetool is for an engine that the tests have started');
      const cassandra = await keyspace.connection();
      onTestFinished(() => keyspace.drop());
      const projection = 'compacted';
      const store = cassandraProjectionStore({
        ...{ cassandra, projection, clock: systemClock, ...testLayout },
      });
      const spec: GenerationSpec = {
        ...{ id: idFromKey('generation', projection), projection, version: 1, generation: 1 },
        ...{ tables: [notes], workers: 1, split: 'stream' },
      };
      await store.create(spec);
      const generation = await store.open(1);
      if (generation === 'lost') throw new Error('lost');
      const share = await Share.take(generation);
      const [space, compactedToOne] = [cassandra.keyspace, ['compact', cassandra.keyspace]];

      // Several files hold versions of each row: written, written again, removed, and removed and written.
      await share.commit(put('kept', 'one'), put('changed', 'one'), put('gone', 'one'));
      await share.commit(put('again', 'one'));
      await nodetool(1, 'flush', space);
      await share.commit(put('changed', 'two'), remove('gone'), remove('again'));
      await nodetool(1, 'flush', space);
      await share.commit(put('again', 'two'));
      const zombie = share.batch([put('changed', 'zombie'), put('gone', 'zombie')]);
      await share.commit(put('changed', 'three'));
      const before = await rowsOf(generation, notes);
      expect(before).toEqual([
        { id: 'again', note: 'two' },
        { id: 'changed', note: 'three' },
        { id: 'kept', note: 'one' },
      ]);
      await nodetool(1, 'flush', space);
      await nodetool(1, ...compactedToOne);
      expect(await rowsOf(generation, notes)).toEqual(before);

      // A writer that was overtaken is told so, and its cells, should they still come, are older than the stamps that stay.
      expect(await generation.commit({ ...zombie, to: at(99) })).not.toMatchObject({
        kind: 'applied',
      });
      const marker = await readMarker(cassandra, projection, 1);
      if (!marker) throw new Error('there is no marker');
      const table = `${space}.${tableNamesOf(marker)[0]?.rows}`;
      const stamps = await cassandra.execute(
        `SELECT id, annals_bucket, annals_stamp FROM ${table}`,
      );
      const bucket = Number(stamps.find(({ id }) => id === 'changed')?.annals_bucket);
      await cassandra.execute(
        `UPDATE ${table} USING TIMESTAMP 1 SET note = 'zombie' WHERE annals_bucket = ? AND id = 'changed'`,
        [bucket],
      );
      await nodetool(1, 'flush', space);
      await nodetool(1, ...compactedToOne);
      expect(await rowsOf(generation, notes)).toEqual(before);

      // The next process goes on from what the compaction has left.
      const reopened = await store.open(1);
      if (reopened === 'lost') throw new Error('lost');
      const next = await Share.take(reopened);
      expect(next.checkpoint).toEqual(at(5));
      await next.commit(put('gone', 'back'), remove('kept'));
      expect((await rowsOf(reopened, notes)).map(({ id }) => id)).toEqual([
        'again',
        'changed',
        'gone',
      ]);
    });
  },
  { label: 'compaction' },
);
