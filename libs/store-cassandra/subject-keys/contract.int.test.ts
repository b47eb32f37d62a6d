import { randomBytes } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { describeSubjectKeyStore } from '@annals/subject-keys/contract';
import { afterAll, expect, test } from 'vitest';
import { TestKeyspace } from '../testing/site.ts';
import { cassandraSubjectKeyStore } from './cassandra-subject-key-store.ts';

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  const masterKey = Buffer.alloc(32, 1);
  afterAll(() => keyspace.drop(), 120_000);
  const anyName = () => `store-${randomBytes(6).toString('hex')}`;

  describeSubjectKeyStore('the Cassandra store', async () => {
    const cassandra = await keyspace.connection();
    const name = anyName();
    return {
      open: () => cassandraSubjectKeyStore({ cassandra, masterKey, name }),
      remove: async () => undefined,
    };
  });

  test('another master key is refused, and reads nothing', async () => {
    const cassandra = await keyspace.connection();
    const name = anyName();
    const store = await cassandraSubjectKeyStore({ cassandra, masterKey, name });
    await store.create(['player:ann']);
    const other = cassandraSubjectKeyStore({ cassandra, masterKey: Buffer.alloc(32, 2), name });
    await expect(other).rejects.toMatchObject({ code: 'wrong-master-key' });
  });

  test('a key is wrapped where it lies, and gone from its row once it is destroyed', async () => {
    const cassandra = await keyspace.connection();
    const name = anyName();
    const store = await cassandraSubjectKeyStore({ cassandra, masterKey, name });
    const made = (await store.create(['player:ann'])).get('player:ann');
    if (made?.kind !== 'key') throw new Error('there is no key');
    const lying = async () => {
      const [row] = await cassandra.execute(
        `SELECT wrapped FROM ${cassandra.keyspace}.annals_subject_keys WHERE store = ? ALLOW FILTERING`,
        [name],
      );
      return Buffer.from(row?.wrapped as Uint8Array);
    };
    const wrapped = await lying();
    expect(wrapped.length).toBeGreaterThan(32);
    expect(wrapped.includes(Buffer.from(made.key))).toBe(false);
    await store.destroy(['player:ann']);
    expect(await lying()).toHaveLength(0);
  });

  test('a key that was moved to another person is refused', async () => {
    const cassandra = await keyspace.connection();
    const name = anyName();
    const store = await cassandraSubjectKeyStore({ cassandra, masterKey, name });
    await store.create(['player:ann', 'player:bob']);
    const table = `${cassandra.keyspace}.annals_subject_keys`;
    const query = `SELECT subject, bucket, wrapped FROM ${table} WHERE store = ? ALLOW FILTERING`;
    const rows = await cassandra.execute(query, [name]);
    const of = (subject: string) => rows.find((row) => row.subject === subject);
    const moved = await cassandra.compareAndSet(
      `UPDATE ${table} SET wrapped = ? WHERE store = ? AND bucket = ? AND subject = ? IF EXISTS`,
      [of('player:bob')?.wrapped as Buffer, name, of('player:ann')?.bucket as number, 'player:ann'],
    );
    expect(moved).toBe(true);
    await expect(store.get(['player:ann'])).rejects.toMatchObject({ code: 'corrupt' });
  });
});
