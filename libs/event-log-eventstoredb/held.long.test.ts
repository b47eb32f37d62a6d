import { randomUUID } from 'node:crypto';
import { describeOn } from '@annals/core/testing';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test, vi } from 'vitest';
import { eventstoredbEventLog } from './index.ts';
import { freshFolder } from './testing/fresh-folder.ts';

vi.setConfig({ testTimeout: 180_000 });

const any = { expected: 'any' } as const;

await describeOn(
  'eventstoredb',
  'the EventStoreDB log while its server hangs',
  (server) => {
    async function open(prefix: string) {
      const log = await eventstoredbEventLog({
        ...{ connection: server.url, prefix, folder: freshFolder() },
      });
      onTestFinished(() => log.close());
      return log;
    }

    test('answers all appends in one time: what was sent is unknown, what waited behind it was not stored', async () => {
      const prefix = `held_${randomUUID().slice(0, 13)}.`;
      const log = await open(prefix);
      // More streams than there are places on the wire.
      const streams = Array.from({ length: 20 }, (_none, at) => `sample-${at}`);
      for (const stream of streams) await log.append(stream, [sampleEvent()], any);
      await server.act('pause', 1);
      const sent = streams.flatMap((stream) =>
        [0, 1, 2].map((place) => ({ stream, place, event: sampleEvent() })),
      );
      const answers = await Promise.all(
        sent.map(async ({ stream, place, event }) => {
          const result = await log.append(stream, [event], any);
          const { kind } = result;
          if (kind === 'refused') expect(result.reason).toBe('unreachable');
          return { stream, place, id: event.id, kind };
        }),
      );
      await server.act('resume', 1);
      const kinds = (of: (place: number) => boolean) =>
        answers.filter(({ place }) => of(place)).map(({ kind }) => kind);
      expect(new Set(kinds((place) => place > 0))).toEqual(new Set(['refused']));
      expect(new Set(kinds((place) => place === 0))).toContain('unknown');
      // Behind whatever was on its way.
      for (const stream of streams) {
        const result = await log.append(stream, [sampleEvent()], any);
        expect(result.kind).toBe('stored');
      }
      const fresh = await open(prefix);
      const { events } = await fresh.read('start');
      const ids = new Set(events.map(({ id }) => id));
      for (const { id, kind } of answers) if (kind === 'refused') expect(ids).not.toContain(id);
    });

    // Writers that wait within the client when its stream breaks end in rejections that nobody can catch.
    test('and then dies does not take the process with it', async () => {
      const log = await open(`held_${randomUUID().slice(0, 13)}.`);
      const streams = Array.from({ length: 60 }, (_none, at) => `sample-${at}`);
      await log.append('sample-0', [sampleEvent()], any);
      // So much that it does not go into the buffers of a connection.
      const data = { note: 'x'.repeat(200_000) };
      const appendAll = () =>
        Promise.all(streams.map((stream) => log.append(stream, [sampleEvent({ data })], any)));
      await server.act('pause', 1);
      for (const { kind } of await appendAll()) expect(['unknown', 'refused']).toContain(kind);
      const during = appendAll();
      await server.act('kill', 1);
      await server.act('start', 1);
      await during;
      const again = async () => (await log.append('sample-0', [sampleEvent()], any)).kind;
      await expect.poll(again, { timeout: 60_000 }).toBe('stored');
    });
  },
  { label: 'log-held' },
);
