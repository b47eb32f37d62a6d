import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { describeOn } from '@annals/core/testing';
import { type AppendResult, EventLogError } from '@annals/event-log';
import { sampleEvent, sampleEvents } from '@annals/event-log/contract';
import { openReplica } from '@annals/event-log-sqlite/replica';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { envelopeOf } from './event-envelope.ts';
import { type EventStoreDBEventLog, eventstoredbEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-folder.ts';

vi.setConfig({ testTimeout: 120_000 });

const freshPrefix = () => `faults_${randomUUID().slice(0, 13)}.`;

function stored(result: AppendResult): Extract<AppendResult, { kind: 'stored' }> {
  if (result.kind === 'stored') return result;
  throw new Error(JSON.stringify(result));
}

async function open(
  connection: string,
  prefix: string,
  folder = freshFolder(),
  onFailed: (error: Error) => void = () => undefined,
): Promise<EventStoreDBEventLog> {
  const log = await eventstoredbEventLog({ connection, prefix, folder, onFailed });
  onTestFinished(() => log.close());
  return log;
}

await describeOn('eventstoredb', 'the EventStoreDB log on a server that others use', ({ url }) => {
  test('an index that was removed is made again, with the same positions', async () => {
    const prefix = freshPrefix();
    const folder = freshFolder();
    const first = await open(url, prefix, folder);
    const events = sampleEvents(3);
    const before = stored(await first.append('sample-1', events, { expected: 'any' }));
    await first.close();
    rmSync(folder, { recursive: true });
    const second = await open(url, prefix, folder);
    const again = await second.append('sample-1', events, { expected: 'no-stream' });
    expect(again).toEqual({ ...before, duplicate: true });
  });

  test('an index that does not say how far it came is made again, and that is told', async () => {
    const prefix = freshPrefix();
    const folder = freshFolder();
    const first = await open(url, prefix, folder);
    const event = sampleEvent();
    const before = stored(await first.append('sample-1', [event], { expected: 'any' }));
    await first.close();
    const { replica } = openReplica(folder, 0);
    replica.transaction(() => replica.keepProgress('{}'));
    replica.close();
    const told: string[] = [];
    const onReport = ({ message }: { readonly message: string }) => told.push(message);
    const log = await eventstoredbEventLog({ connection: url, prefix, folder, onReport });
    onTestFinished(() => log.close());
    expect(told).toEqual([
      'the index does not say how far it came, or an older program made it: it is made anew',
    ]);
    const again = await log.append('sample-1', [event], { expected: 'any' });
    expect(again).toEqual({ ...before, duplicate: true });
  });

  test('appends of two processes to one stream all count once, whatever they expect', async () => {
    const prefix = freshPrefix();
    const logs = [await open(url, prefix), await open(url, prefix)];
    const shared = sampleEvents(20);
    const results = await Promise.all(
      shared.flatMap((event) =>
        logs.map((log) => log.append('sample-1', [event], { expected: 'any' })),
      ),
    );
    const fresh = results.map((result) => stored(result)).filter(({ duplicate }) => !duplicate);
    expect(fresh.map(({ revision }) => revision).sort((a, b) => a - b)).toEqual(
      shared.map((_e, at) => at),
    );
    for (const log of logs) {
      await log.barrier('sample-1');
      expect((await log.readStream('sample-1')).head).toBe(shared.length - 1);
    }
  });

  test('the same id with other content, sent by two at once, is stored once and refused once', async () => {
    const prefix = freshPrefix();
    const logs = [await open(url, prefix), await open(url, prefix)];
    for (let round = 0; round < 10; round += 1) {
      const stream = `sample-${round}`;
      const event = sampleEvent({ data: { points: 1 } });
      const other = sampleEvent({ data: { points: 2 } }, { id: event.id });
      const kinds = await Promise.all([
        logs[0]?.append(stream, [event], { expected: 'no-stream' }),
        logs[1]?.append(stream, [other], { expected: 'no-stream' }),
      ]);
      expect(kinds.map((result) => result?.kind).sort()).toEqual(['content-mismatch', 'stored']);
    }
  });

  /** What no log of ours wrote. */
  async function writeTheirs(...streams: string[]): Promise<void> {
    const client = EventStoreDBClient.connectionString(url);
    for (const stream of streams) {
      await client.appendToStream(stream, jsonEvent({ type: 'theirs', data: {} }));
    }
    await client.dispose();
  }

  test('streams of somebody else under our prefix are skipped and counted', async () => {
    const prefix = freshPrefix();
    await writeTheirs(`${prefix}theirs-1`, `${prefix}hello`);
    const log = await open(url, prefix);
    const [first, second] = sampleEvents(2);
    stored(await log.append('sample-1', [first!], { expected: 'no-stream' }));
    await writeTheirs(`${prefix}theirs-1`);
    stored(await log.append('sample-1', [second!], { expected: 0 }));
    const { events } = await log.read('start');
    expect(events.map(({ id }) => id)).toEqual([first!.id, second!.id]);
    expect(log.status()).toMatchObject({ events: 2, foreign: 3 });
    await log.barrier('theirs-1');
    const again = await open(url, prefix);
    expect(again.status()).toMatchObject({ events: 2, foreign: 3 });
  });

  test('a barrier of no stream has all read that was acknowledged, also behind what others write', async () => {
    const prefix = freshPrefix();
    const [writer, reader] = [await open(url, prefix), await open(url, prefix)];
    await reader.barrier();
    const theirs = EventStoreDBClient.connectionString(url);
    onTestFinished(() => theirs.dispose());
    const noise = () => Array.from({ length: 150 }, () => jsonEvent({ type: 'theirs', data: {} }));
    for (let round = 1; round <= 5; round += 1) {
      for (const stream of ['sample-1', 'sample-2', 'sample-3']) {
        stored(await writer.append(stream, [sampleEvent()], { expected: 'any' }));
      }
      // More than one page of a read from the end, under our prefix and elsewhere.
      await theirs.appendToStream(`${prefix}theirs`, noise());
      await theirs.appendToStream(`other-${randomUUID()}`, noise());
      await reader.barrier();
      expect(await reader.head()).toEqual(await writer.head());
      expect((await reader.read('start')).events).toHaveLength(round * 3);
    }
  });

  test('a stream of somebody else cannot be ours, too: that is told at once, and the log goes on', async () => {
    const prefix = freshPrefix();
    await writeTheirs(`${prefix}sample-1`);
    const log = await open(url, prefix);
    const refused = log.append('sample-1', [sampleEvent()], { expected: 'any' });
    await expect(refused).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`${prefix}sample-1 holds events that no log of ours wrote`),
    });
    stored(await log.append('sample-2', [sampleEvent()], { expected: 'any' }));
  });

  test('one that they deleted is not ours either: the server would go on behind its last revision', async () => {
    const prefix = freshPrefix();
    const theirs = `${prefix}sample-1`;
    await writeTheirs(theirs, theirs, theirs);
    const client = EventStoreDBClient.connectionString(url);
    onTestFinished(() => client.dispose());
    await client.deleteStream(theirs);
    const logs = [await open(url, prefix), await open(url, prefix)];
    for (const log of logs) {
      const refused = log.append('sample-1', [sampleEvent()], { expected: 'any' });
      await expect(refused).rejects.toThrow(`${theirs} holds events that no log of ours wrote`);
    }
    // A process that had not read of them yet.
    const wire = envelopeOf(sampleEvent(), Date.now());
    await client.appendToStream(theirs, wire, { expectedRevision: 'no_stream' });
    for (const log of logs) {
      await log.barrier('sample-1');
      await log.barrier();
      stored(await log.append('sample-2', [sampleEvent()], { expected: 'any' }));
      expect(log.status()).toMatchObject({ foreign: 4 });
    }
  });

  test('an event that somebody else wrote into a stream of ours stops the log, by name', async () => {
    const prefix = freshPrefix();
    const failed = Promise.withResolvers<Error>();
    const log = await open(url, prefix, undefined, failed.resolve);
    stored(await log.append('sample-1', [sampleEvent()], { expected: 'any' }));
    await writeTheirs(`${prefix}sample-1`);
    const error = { name: 'FollowError', problem: 'foreign-event' };
    expect(await failed.promise).toMatchObject(error);
    await expect(log.head()).rejects.toMatchObject(error);
    const refused = log.append('sample-1', [sampleEvent()], { expected: 'any' });
    await expect(refused).rejects.toThrow(`${prefix}sample-1`);
  });

  test('a stream that was deleted on the server for ever is named', async () => {
    const prefix = freshPrefix();
    const log = await open(url, prefix);
    const client = EventStoreDBClient.connectionString(url);
    await client.tombstoneStream(`${prefix}sample-1`);
    await client.dispose();
    const refused = log.append('sample-1', [sampleEvent()], { expected: 'any' });
    await expect(refused).rejects.toMatchObject({ code: 'corrupt' });
  });
});

await describeOn(
  'eventstoredb',
  'the EventStoreDB log when its server is killed',
  (server) => {
    test('goes on by itself: nothing acknowledged is lost, nothing stored twice', async () => {
      const prefix = freshPrefix();
      const log = await open(server.url, prefix);
      const sent = sampleEvents(60);
      const appends = sent.map(async (event, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * 20));
        return log.append(`sample-${at % 3}`, [event], { expected: 'any' });
      });
      for (let kill = 0; kill < 2; kill += 1) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        await server.act('kill', 1);
        await server.act('start', 1);
      }
      const results = await Promise.all(appends);
      for (const result of results) stored(result);
      const fresh = await open(server.url, prefix);
      const { events } = await fresh.read('start');
      expect(events.map(({ id }) => id).sort()).toEqual(sent.map(({ id }) => id).sort());
      await expect.poll(() => log.head(), { timeout: 30_000 }).toEqual(await fresh.head());
    });

    test('says that no server answers, in bounded time', async () => {
      await server.act('kill', 1);
      const refused = open(server.url, freshPrefix());
      await expect(refused).rejects.toMatchObject({
        name: EventLogError.name,
        code: 'unreachable',
      });
      await server.act('start', 1);
    });
  },
  { label: 'log-faults' },
);

test('a connection string that hides failures is refused', async () => {
  const connection = 'esdb://127.0.0.1:2113?tls=false&throwOnAppendFailure=false';
  const refused = eventstoredbEventLog({ connection, folder: freshFolder() });
  await expect(refused).rejects.toThrow('throwOnAppendFailure');
});
