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
          const { kind } = await log.append(stream, [event], any);
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
  },
  { label: 'log-held' },
);
