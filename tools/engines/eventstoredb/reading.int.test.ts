import { randomUUID } from 'node:crypto';
import {
  EventStoreDBClient,
  type Position,
  StreamDeletedError,
  StreamNotFoundError,
  streamNameFilter,
} from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allFrom, eventsOf, listen, named } from '../testing/eventstoredb-client.ts';
import { describeInOwnFolder, until } from '../testing/own-folder.ts';
import { up } from '../up.ts';

await describeInOwnFolder('eventstoredb', 'the double of EventStoreDB, reading', ({ site }) => {
  let client: EventStoreDBClient;
  let url = '';

  beforeAll(async () => {
    ({ url } = await up(site, 'eventstoredb'));
    client = EventStoreDBClient.connectionString(url);
  });
  afterAll(() => client.dispose());

  async function streamOf(count: number, category = 'stream') {
    const stream = `${category}-${randomUUID()}`;
    const events = Array.from({ length: count }, (_event, index) => named(`e${index}`));
    const { position } = await client.appendToStream(stream, events);
    return { stream, position: position as Position };
  }

  const types = (events: readonly { readonly type: string }[]) => events.map(({ type }) => type);

  it('says that it is a test double, and is its own leader', async () => {
    const { capabilities } = client as unknown as { capabilities: Promise<object> };
    expect(await capabilities).toMatchObject({ serverVersion: '24.10.0-test-double' });
    const discovered = url.replace('esdb://', 'esdb+discover://');
    const other = EventStoreDBClient.connectionString(discovered);
    const stream = `stream-${randomUUID()}`;
    await other.appendToStream(stream, named('a'));
    expect(types(await eventsOf(client, stream))).toEqual(['a']);
    await other.dispose();
  });

  describe('one stream', () => {
    it('is read forwards and backwards, from a revision, a page of it, and all of many pages', async () => {
      const { stream } = await streamOf(5);
      const read = (options: Parameters<typeof eventsOf>[2]) =>
        eventsOf(client, stream, options).then(types);
      expect(await read({})).toEqual(['e0', 'e1', 'e2', 'e3', 'e4']);
      expect(await read({ fromRevision: 3n })).toEqual(['e3', 'e4']);
      expect(await read({ fromRevision: 1n, maxCount: 2 })).toEqual(['e1', 'e2']);
      expect(await read({ direction: 'backwards', fromRevision: 'end' })).toEqual([
        ...['e4', 'e3', 'e2', 'e1', 'e0'],
      ]);
      expect(await read({ direction: 'backwards', fromRevision: 1n })).toEqual(['e1', 'e0']);
      expect(await read({ direction: 'backwards', fromRevision: 'end', maxCount: 1 })).toEqual([
        'e4',
      ]);
      expect(await read({ fromRevision: 5n })).toEqual([]);
      const long = await streamOf(450);
      const all = await eventsOf(client, long.stream);
      expect(all.map(({ revision }) => revision)).toEqual(
        all.map((_event, index) => BigInt(index)),
      );
      expect(all).toHaveLength(450);
    });

    it('that is not there is not found', async () => {
      await expect(eventsOf(client, 'stream-nobody')).rejects.toBeInstanceOf(StreamNotFoundError);
    });

    it('is followed behind a revision', async () => {
      const { stream } = await streamOf(3);
      const heard: string[] = [];
      const subscription = client.subscribeToStream(stream, { fromRevision: 1n });
      subscription.on('caughtUp', () => heard.push('caught up'));
      subscription.on('data', ({ event }) => heard.push(event?.type ?? ''));
      await until('it has caught up', () => heard.includes('caught up'));
      await client.appendToStream(stream, named('later'));
      await until('the new event came', () => heard.includes('later'));
      expect(heard).toEqual(['e2', 'caught up', 'later']);
      await subscription.unsubscribe();
    });

    it('that is tombstoned ends its subscriptions', async () => {
      const { stream } = await streamOf(1);
      let failed: unknown;
      const subscription = client.subscribeToStream(stream);
      subscription.on('error', (error) => {
        failed = error;
      });
      subscription.resume();
      await new Promise((resolve) => subscription.once('caughtUp', resolve));
      await client.tombstoneStream(stream);
      await until('it failed', () => failed !== undefined);
      expect(failed).toBeInstanceOf(StreamDeletedError);
    });
  });

  describe('$all', () => {
    it('is in the order of commits, each event once, with gaps and system events', async () => {
      await Promise.all(Array.from({ length: 30 }, () => streamOf(3)));
      const all = await allFrom(client, 'start');
      const positions = all.map(({ position }) => position?.commit ?? -1n);
      expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)));
      expect(new Set(all.map(({ streamId, revision }) => `${streamId} ${revision}`)).size).toBe(
        all.length,
      );
      expect(
        positions.some((position, index) => position - (positions[index - 1] ?? 0n) > 1n),
      ).toBe(true);
      expect(all.some(({ streamId }) => streamId.startsWith('$'))).toBe(true);
    });

    it('is read from a position: with it forwards, without it backwards', async () => {
      const { position } = await streamOf(3, 'placed');
      const { position: next } = await streamOf(1, 'placed');
      expect(types(await allFrom(client, position))).toEqual(['e2', 'e0']);
      const backwards = { direction: 'backwards', maxCount: 2 } as const;
      expect(types(await allFrom(client, position, backwards))).toEqual(['e1', 'e0']);
      const [last] = await allFrom(client, 'end', { direction: 'backwards', maxCount: 1 });
      expect(last?.position).toEqual(next);
      expect(await allFrom(client, 'end')).toEqual([]);
    });

    it('holds what was deleted, and what says so', async () => {
      const { stream, position } = await streamOf(1, 'deleted');
      await client.deleteStream(stream);
      await client.tombstoneStream(stream);
      const all = await allFrom(client, position);
      expect(all.map(({ streamId, type }) => [streamId, type])).toEqual([
        [stream, 'e0'],
        [`$$${stream}`, '$metadata'],
        [stream, '$streamDeleted'],
      ]);
    });

    it('is followed behind a position, first what was there, then what comes', async () => {
      const { position } = await streamOf(2);
      await streamOf(1);
      const subscription = client.subscribeToAll({ fromPosition: position });
      const { lines } = listen(subscription);
      await until('it has caught up', () => lines.includes('caught up'));
      await client.appendToStream(`stream-${randomUUID()}`, named('later'));
      await until('the new event came', () => lines.includes('later'));
      expect(lines).toEqual(['e0', 'caught up', 'later']);
      await subscription.unsubscribe();
    });

    it('says when a live subscription falls behind, and when it has caught up again', async () => {
      const subscription = client.subscribeToAll({ fromPosition: 'end' });
      const { lines } = listen(subscription);
      await until('it has caught up', () => lines.includes('caught up'));
      await streamOf(250);
      await until('it has caught up again', () => lines.lastIndexOf('caught up') > 0);
      expect(lines.filter((line) => !/^e\d+$/.test(line))).toEqual([
        ...['caught up', 'fell behind', 'caught up'],
      ]);
      expect(lines).toHaveLength(253);
      await subscription.unsubscribe();
    });

    it('waits for a client that does not read, and loses nothing', async () => {
      const { position } = await streamOf(1);
      const bytes = 'x'.repeat(100_000);
      const stream = `stream-${randomUUID()}`;
      for (let sent = 0; sent < 100; sent += 1) {
        await client.appendToStream(stream, { ...named(`n${sent}`), data: { bytes } });
      }
      const subscription = client.subscribeToAll({ fromPosition: position });
      await new Promise((resolve) => subscription.once('confirmation', resolve));
      await client.appendToStream(stream, named('last'));
      const { lines } = listen(subscription);
      await until('the last one came', () => lines.includes('last'));
      expect(lines.filter((line) => line !== 'caught up')).toHaveLength(101);
      await subscription.unsubscribe();
    });
  });

  describe('a filter of $all', () => {
    it('passes streams by prefix, and says how far it has looked', async () => {
      const category = `cat${randomUUID().slice(0, 8)}`;
      const { position } = await streamOf(1);
      await streamOf(2, category);
      await streamOf(40, 'noise');
      const checkpoints: Position[] = [];
      const filter = streamNameFilter({
        prefixes: [`${category}-`],
        maxSearchWindow: 5,
        checkpointInterval: 2,
        checkpointReached: async (_subscription, reached) => {
          checkpoints.push(reached);
        },
      });
      const subscription = client.subscribeToAll({ fromPosition: position, filter });
      const { lines } = listen(subscription);
      await until('it has caught up', () => lines.includes('caught up'));
      expect(lines).toEqual(['e0', 'e1', 'caught up']);
      // 42 events were looked at, ten for each checkpoint; it has not said that it saw the last two.
      expect(checkpoints).toHaveLength(4);
      await subscription.unsubscribe();

      // Behind a checkpoint, nothing that passed before it comes again, and nothing after it is missing.
      await streamOf(1, category);
      const again = client.subscribeToAll({ fromPosition: checkpoints.at(-1) as Position, filter });
      const { lines: resumed } = listen(again);
      await until('it has caught up again', () => resumed.includes('caught up'));
      expect(resumed).toEqual(['e0', 'caught up']);
      await again.unsubscribe();
    });

    it('goes on counting when it is live', async () => {
      const checkpoints: Position[] = [];
      const filter = streamNameFilter({
        prefixes: ['nobody-'],
        maxSearchWindow: 1,
        checkpointReached: async (_subscription, reached) => {
          checkpoints.push(reached);
        },
      });
      const subscription = client.subscribeToAll({ fromPosition: 'end', filter });
      const { lines } = listen(subscription);
      await until('it has caught up', () => lines.includes('caught up'));
      const { position } = await streamOf(1);
      await until('it has looked at it', () =>
        checkpoints.some(({ commit }) => commit === position.commit),
      );
      expect(lines).toEqual(['caught up']);
      await subscription.unsubscribe();
    });

    it('by an expression works, too', async () => {
      const { position } = await streamOf(1);
      const word = randomUUID().slice(0, 8);
      await streamOf(1, `some-${word}`);
      await streamOf(1, 'other');
      const filter = streamNameFilter({ regex: `^some-${word}-` });
      const subscription = client.subscribeToAll({ fromPosition: position, filter });
      const { lines } = listen(subscription);
      await until('it has caught up', () => lines.includes('caught up'));
      expect(lines).toEqual(['e0', 'caught up']);
      await subscription.unsubscribe();
    });
  });
});
