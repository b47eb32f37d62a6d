import { randomUUID } from 'node:crypto';
import {
  binaryEvent,
  EventStoreDBClient,
  jsonEvent,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  UnavailableError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actOn } from '../node-actions.ts';
import { allFrom, eventsOf, named } from '../testing/eventstoredb-client.ts';
import { describeInOwnFolder } from '../testing/own-folder.ts';
import { up } from '../up.ts';

await describeInOwnFolder('eventstoredb', 'the double of EventStoreDB, writing', ({ site }) => {
  let client: EventStoreDBClient;

  beforeAll(async () => {
    client = EventStoreDBClient.connectionString((await up(site, 'eventstoredb')).url);
  });
  afterAll(() => client.dispose());

  /** With credentials the client sends Append instead of BatchAppend; both answer the same. */
  const calls = [
    ['BatchAppend', {}],
    ['Append', { credentials: { username: 'admin', password: 'changeit' } }],
  ] as const;

  describe.each(calls)('%s', (_call, own) => {
    it('stores events in order, and tells revision and position', async () => {
      const stream = `stream-${randomUUID()}`;
      const first = await client.appendToStream(stream, [named('a'), named('b')], {
        ...own,
        expectedRevision: 'no_stream',
      });
      expect(first).toMatchObject({ success: true, nextExpectedRevision: 1n });
      const second = await client.appendToStream(stream, named('c'), {
        ...own,
        expectedRevision: 1n,
      });
      expect(second.nextExpectedRevision).toBe(2n);
      expect(second.position?.commit).toBeGreaterThan(first.position?.commit ?? 0n);
      const events = await eventsOf(client, stream);
      expect(events.map(({ type, revision }) => [type, revision])).toEqual([
        ...[
          ['a', 0n],
          ['b', 1n],
          ['c', 2n],
        ],
      ]);
      expect(events[2]?.position?.commit).toBe(second.position?.commit);
    });

    it.each([
      ['no_stream', 0n],
      [5n, 0n],
    ] as const)(
      'refuses a wrong expected revision with its details: %s',
      async (expectedRevision, actual) => {
        const stream = `stream-${randomUUID()}`;
        await client.appendToStream(stream, named('a'), own);
        const refused = client.appendToStream(stream, named('b'), { ...own, expectedRevision });
        await expect(refused).rejects.toMatchObject({
          constructor: WrongExpectedVersionError,
          streamName: stream,
          expectedVersion: expectedRevision,
          actualVersion: actual,
        });
        expect(await eventsOf(client, stream)).toHaveLength(1);
      },
    );

    it.each(['stream_exists', 0n] as const)(
      'refuses to append to no stream: %s',
      async (expectedRevision) => {
        const stream = `stream-${randomUUID()}`;
        const refused = client.appendToStream(stream, named('b'), { ...own, expectedRevision });
        await expect(refused).rejects.toMatchObject({
          constructor: WrongExpectedVersionError,
          expectedVersion: expectedRevision,
          actualVersion: 'no_stream',
        });
      },
    );

    it('takes the same ids at the same place for a resend', async () => {
      const stream = `stream-${randomUUID()}`;
      const events = [named('a'), named('b')];
      const first = await client.appendToStream(stream, events, {
        ...own,
        expectedRevision: 'no_stream',
      });
      await client.appendToStream(stream, named('c'), own);
      const again = await client.appendToStream(stream, events, {
        ...own,
        expectedRevision: 'no_stream',
      });
      expect(again).toEqual(first);
      expect(await eventsOf(client, stream)).toHaveLength(3);
    });

    it('stores a known id again where the current revision is expected', async () => {
      const stream = `stream-${randomUUID()}`;
      const event = named('a');
      await client.appendToStream(stream, event, own);
      await client.appendToStream(stream, event, { ...own, expectedRevision: 0n });
      expect(await eventsOf(client, stream)).toHaveLength(2);
    });

    it('takes a write that is known in part for one at a wrong version', async () => {
      const stream = `stream-${randomUUID()}`;
      const event = named('a');
      await client.appendToStream(stream, event, own);
      const refused = client.appendToStream(stream, [event, named('b')], own);
      await expect(refused).rejects.toBeInstanceOf(WrongExpectedVersionError);
      const exact = { ...own, expectedRevision: 'no_stream' } as const;
      const refusedToo = client.appendToStream(stream, [event, named('b')], exact);
      await expect(refusedToo).rejects.toBeInstanceOf(WrongExpectedVersionError);
      expect(await eventsOf(client, stream)).toHaveLength(1);
    });

    it('finds a duplicate of any revision among the last 100 events only, and compares no contents', async () => {
      const stream = `stream-${randomUUID()}`;
      const event = named('a');
      const first = await client.appendToStream(stream, event, own);
      const others = () => Array.from({ length: 99 }, () => named('filler'));
      await client.appendToStream(`stream-${randomUUID()}`, others(), own);
      const changed = jsonEvent({ id: event.id, type: 'another', data: { other: true } });
      expect(await client.appendToStream(stream, changed, own)).toEqual(first);
      await client.appendToStream(`stream-${randomUUID()}`, others(), own);
      await client.appendToStream(`stream-${randomUUID()}`, named('one more'), own);
      await client.appendToStream(stream, event, own);
      expect((await eventsOf(client, stream)).map(({ type }) => type)).toEqual(['a', 'a']);
    });

    it('forgets a duplicate whose id was stored in another stream meanwhile', async () => {
      const [one, other] = [`stream-${randomUUID()}`, `stream-${randomUUID()}`];
      const event = named('a');
      await client.appendToStream(one, event, own);
      await client.appendToStream(other, event, own);
      await client.appendToStream(one, event, own);
      expect(await eventsOf(client, one)).toHaveLength(2);
    });

    it('refuses more than a mebibyte, wholly', async () => {
      const stream = `stream-${randomUUID()}`;
      const half = () => binaryEvent({ type: 'bytes', data: Buffer.alloc(600_000) });
      const refused = client.appendToStream(stream, [half(), half()], own);
      await expect(refused).rejects.toMatchObject({
        constructor: MaxAppendSizeExceededError,
        maxAppendSize: 1_048_576,
      });
      await expect(eventsOf(client, stream)).rejects.toBeInstanceOf(StreamNotFoundError);
      await client.appendToStream(stream, half(), own);
    });

    it('brings a deleted stream back behind its last revision', async () => {
      const stream = `stream-${randomUUID()}`;
      await client.appendToStream(stream, [named('a'), named('b')], own);
      await client.deleteStream(stream);
      await expect(eventsOf(client, stream)).rejects.toBeInstanceOf(StreamNotFoundError);
      const existing = { ...own, expectedRevision: 'stream_exists' } as const;
      await expect(client.appendToStream(stream, named('c'), existing)).rejects.toMatchObject({
        constructor: StreamDeletedError,
        streamName: stream,
      });
      await client.appendToStream(stream, named('c'), { ...own, expectedRevision: 'no_stream' });
      const events = await eventsOf(client, stream);
      expect(events.map(({ type, revision }) => [type, revision])).toEqual([['c', 2n]]);
    });

    it('refuses everything to a tombstoned stream', async () => {
      const stream = `stream-${randomUUID()}`;
      await client.appendToStream(stream, named('a'), own);
      await client.tombstoneStream(stream, { expectedRevision: 0n });
      const refused = client.appendToStream(stream, named('b'), own);
      await expect(refused).rejects.toBeInstanceOf(StreamDeletedError);
      await expect(eventsOf(client, stream)).rejects.toBeInstanceOf(StreamDeletedError);
      await expect(client.deleteStream(stream)).rejects.toBeInstanceOf(StreamDeletedError);
    });

    it('keeps bytes, metadata and names as they are', async () => {
      const stream = `gemüse-🥕/${randomUUID()}`;
      const id = randomUUID();
      const data = Buffer.from([0, 255, 10, 34]);
      const metadata = { actor: 'änn' };
      await client.appendToStream(stream, binaryEvent({ id, type: 'möhre', data, metadata }), own);
      const [event] = await eventsOf(client, stream);
      expect(event).toMatchObject({ id, type: 'möhre', streamId: stream, metadata, isJson: false });
      expect(Buffer.from(event?.data as Uint8Array)).toEqual(data);
      expect(Math.abs(Date.now() - (event?.created.getTime() ?? 0))).toBeLessThan(600_000);
    });
  });

  it('refuses to delete at a wrong revision', async () => {
    const stream = `stream-${randomUUID()}`;
    await client.appendToStream(stream, named('a'));
    const expected = {
      constructor: WrongExpectedVersionError,
      streamName: stream,
      actualVersion: 0n,
    };
    const wrong = { expectedRevision: 3n };
    await expect(client.deleteStream(stream, wrong)).rejects.toMatchObject(expected);
    await expect(client.tombstoneStream(stream, wrong)).rejects.toMatchObject(expected);
    expect(await eventsOf(client, stream)).toHaveLength(1);
  });

  it('does not pretend to keep rules for old events', async () => {
    const refused = client.setStreamMetadata(`stream-${randomUUID()}`, { maxCount: 3 });
    await expect(refused).rejects.toThrow('test double of EventStoreDB has no $maxCount');
  });

  it('cuts a stream off where its metadata says', async () => {
    const stream = `stream-${randomUUID()}`;
    await client.appendToStream(stream, [named('a'), named('b'), named('c')]);
    await client.setStreamMetadata(stream, { truncateBefore: 2 });
    expect((await eventsOf(client, stream)).map(({ type }) => type)).toEqual(['c']);
  });

  it('keeps what it acknowledged when it is killed, and forgets which ids were recent', async () => {
    const id = 'eventstoredb@killed';
    const killed = EventStoreDBClient.connectionString((await up(site, id)).url);
    const resent = named('resent');
    await killed.appendToStream('stream-1', resent);
    const acknowledged: bigint[] = [];
    const writing = (async () => {
      for (;;) {
        const { nextExpectedRevision } = await killed.appendToStream('stream-1', named('a'));
        acknowledged.push(nextExpectedRevision);
        if (acknowledged.length === 20) void actOn(site, 'kill', `${id}/1`);
      }
    })();
    await expect(writing).rejects.toBeInstanceOf(UnavailableError);
    await killed.dispose();
    const back = EventStoreDBClient.connectionString((await up(site, id)).url);
    const events = await eventsOf(back, 'stream-1');
    expect(events.map(({ revision }) => revision)).toEqual(
      events.map((_event, index) => BigInt(index)),
    );
    // The last one may be there without an answer.
    expect(events.length - 1 - Number(acknowledged.at(-1))).toBeLessThanOrEqual(1);
    expect(acknowledged.length).toBeGreaterThanOrEqual(20);
    const { nextExpectedRevision } = await back.appendToStream('stream-1', resent);
    expect(nextExpectedRevision).toBe(BigInt(events.length));
    const positions = (await allFrom(back, 'start')).map(({ position }) => position?.commit ?? -1n);
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)));
    await back.dispose();
  });
});
