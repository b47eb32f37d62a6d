import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import {
  at,
  entries,
  entry,
  putEntry,
  rowsOf,
  Share,
  sampleSpec,
} from '@annals/projection/contract';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { redisLiveReader, redisProjectionStore } from './index.ts';
import { connected, openSample, ownPrefix } from './testing/opened.ts';

function openStore(url: string, prefix = ownPrefix()) {
  const store = redisProjectionStore({ url, projection: 'sample', prefix, clock: systemClock });
  onTestFinished(() => store.close());
  return store;
}

await describeOn('redis', 'A server', ({ url }) => {
  test('that forgot all scripts is told them again', async () => {
    const { connection, generation } = await openSample(url, { shards: 2 });
    const share = await Share.take(generation);
    await share.commit(putEntry(entry('b', 'ann', 1)));
    await connection.call('SCRIPT', 'FLUSH');
    await share.commit(putEntry(entry('b', 'ann', 2)));
    await connection.call('SCRIPT', 'FLUSH');
    expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 2)]);
  });

  describe('with keys of somebody else under our prefix', () => {
    test('is refused, and the key named', async () => {
      const prefix = ownPrefix();
      const connection = connected(url);
      await connection.call('SET', `${prefix}:sessions`, '1');
      const refused = openStore(url, prefix).create(sampleSpec);
      await expect(refused).rejects.toMatchObject({ code: 'foreign-keys' });
      await expect(refused).rejects.toThrow('sessions');
      expect(await connection.call('EXISTS', `${prefix}:{sample:g1}:marker`)).toBe(0);
      await connection.call('UNLINK', `${prefix}:sessions`);
      expect(await openStore(url, prefix).create(sampleSpec)).toBe('created');
    });

    test.each([
      ['SET', ['a text']],
      ['HSET', ['name', 'a hash of somebody']],
    ])('is refused where the marker would be: %s', async (command, args) => {
      const prefix = ownPrefix();
      const marker = `${prefix}:{sample:g1}:marker`;
      const connection = connected(url);
      await connection.call(command, marker, ...args);
      await expect(openStore(url, prefix).open(1)).rejects.toMatchObject({ code: 'foreign-keys' });
      const made = openStore(url, prefix).create(sampleSpec);
      await expect(made).rejects.toMatchObject({ code: 'foreign-keys' });
      await connection.call('UNLINK', marker);
    });
  });

  test('is not asked with another password than its own', async () => {
    const store = openStore(url.replace('redis://', 'redis://nobody:secret@'));
    const refused = store.open(1);
    await expect(refused).rejects.toMatchObject({ code: 'refused' });
    await expect(refused).rejects.not.toThrow('secret');
  });

  test('that has no such database is refused: no other one is used', async () => {
    const connection = connected(`${url}/99`);
    const key = `${ownPrefix()}:key`;
    for (let times = 1; times <= 2; times += 1) {
      const set = connection.call('SET', key, '1');
      await expect(set).rejects.toMatchObject({ code: 'refused' });
      await expect(set).rejects.toThrow(/\/99: ERR DB index is out of range/);
    }
    expect(await connected(url).call('EXISTS', key)).toBe(0);
  });

  test('whose database is not ours any more when we come back is refused', async () => {
    const admin = connected(url);
    const user = ownPrefix();
    await admin.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@all');
    onTestFinished(async () => {
      await admin.call('ACL', 'DELUSER', user);
    });
    const connection = connected(`${url.replace('://', `://${user}:secret@`)}/3`);
    const key = `${ownPrefix()}:key`;
    await connection.call('SET', key, '1', 'PX', 60_000);
    await admin.call('ACL', 'SETUSER', user, '-select');
    await admin.call('CLIENT', 'KILL', 'USER', user);
    // What is on its way as the connection breaks is sent again on the next one; this comes after that.
    const refusedOnce = async () => expect(String(await admin.call('ACL', 'LOG'))).toContain(user);
    await vi.waitFor(refusedOnce, { timeout: 5_000 });
    const set = connection.call('SET', key, '2', 'PX', 60_000);
    await expect(set).rejects.toMatchObject({ code: 'refused' });
    await expect(set).rejects.toThrow('/3: NOPERM');
    expect(await admin.call('EXISTS', key)).toBe(0);
    // Nothing has to be opened again once it may be used.
    await admin.call('ACL', 'SETUSER', user, '+select');
    expect(String(await connection.call('GET', key))).toBe('1');
  });

  test('closed stores and readers say so', async () => {
    const { store, generation } = await openSample(url);
    await store.close();
    await expect(store.open(1)).rejects.toMatchObject({ code: 'closed' });
    await expect(generation.checkpoint()).rejects.toMatchObject({ code: 'closed' });
    const clock = systemClock;
    const live = redisLiveReader({
      url,
      projection: 'sample',
      liveGeneration: () => sampleSpec,
      clock,
    });
    live.close();
    await expect(live.current()).rejects.toMatchObject({ code: 'closed' });
  });
});

test('a server that is not there is unreachable, in bounded time', async () => {
  const store = openStore('redis://127.0.0.1:1');
  await expect(store.open(1)).rejects.toMatchObject({ code: 'unreachable' });
  const cluster = openStore('redis://127.0.0.1:1,127.0.0.1:2?cluster=true');
  await expect(cluster.open(1)).rejects.toMatchObject({ code: 'unreachable' });
});

await describeOn(
  'redis',
  'A server with other settings',
  ({ url }) => {
    async function set(name: string, value: string): Promise<void> {
      await connected(url).call('CONFIG', 'SET', name, value);
    }

    test.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random'])(
      'that may evict our keys (%s) is refused',
      async (policy) => {
        await set('maxmemory-policy', policy);
        onTestFinished(() => set('maxmemory-policy', 'noeviction'));
        const store = openStore(url);
        await expect(store.create(sampleSpec)).rejects.toMatchObject({ code: 'evicts' });
        await expect(store.open(1)).rejects.toThrow(`maxmemory-policy ${policy}`);
        const clock = systemClock;
        const live = redisLiveReader({
          url,
          projection: 'sample',
          liveGeneration: () => sampleSpec,
          clock,
        });
        onTestFinished(() => live.close());
        await expect(live.current()).rejects.toMatchObject({ code: 'evicts' });
        await set('maxmemory-policy', 'noeviction');
        expect(await store.open(1)).toBe('lost');
      },
    );

    test('that evicts only keys that expire is taken', async () => {
      await set('maxmemory-policy', 'volatile-lru');
      onTestFinished(() => set('maxmemory-policy', 'noeviction'));
      expect(await openStore(url).open(1)).toBe('lost');
    });

    test('that is full takes a whole batch or nothing, and goes on when there is room', async () => {
      const { generation, connection } = await openSample(url, { shards: 3 });
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      await connection.call('CONFIG', 'SET', 'maxmemory', '1000000');
      onTestFinished(() => set('maxmemory', '0'));
      const batch = share.batch([putEntry(entry('b', 'ann', 2)), putEntry(entry('b', 'bob', 2))]);
      await expect(share.send(batch)).rejects.toMatchObject({ code: 'out-of-memory' });
      expect(await generation.checkpoint()).toEqual(at(1));
      await connection.call('CONFIG', 'SET', 'maxmemory', '0');
      expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 1)]);
      expect(await share.send(batch)).toEqual({ kind: 'applied' });
      expect(await rowsOf(generation, entries)).toHaveLength(2);
    });

    test('drops a generation in small steps that nobody waits for', async () => {
      const { generation, store, connection } = await openSample(url, { shards: 3 });
      const share = await Share.take(generation);
      const rows = Array.from({ length: 5_000 }, (_, n) => entry(`b${n % 700}`, `p${n}`, n));
      await share.commit(...rows.map(putEntry));
      await connection.call('CONFIG', 'RESETSTAT');
      await store.drop(1);
      const stats = String(await connection.call('INFO', 'commandstats'));
      expect(stats).toMatch(/cmdstat_scan:calls=\d+/);
      expect(stats).toMatch(/cmdstat_unlink:calls=\d+/);
      expect(stats).not.toMatch(/cmdstat_(?:del|keys|flushdb|flushall|eval|evalsha):/);
    });
  },
  { label: 'settings' },
);
