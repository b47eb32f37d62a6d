import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@annals/core';
import { sampleEvent } from '@annals/event-log/contract';
import { digestKeyOf, digestsOf } from '@annals/event-log/digest';
import { expect, test, vi } from 'vitest';
import { openEmbedded } from './embedded.ts';
import { runSiteProjector } from './run-site-projector.ts';

test('a projector that has a key signs what the log holds, and one after it goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'annals-digests-'));
  const site = await openEmbedded({ dataFolder: folder });
  const key = 'ab'.repeat(32);
  const troubles: string[] = [];
  const signed = async () => {
    const digests = [];
    for await (const { number, public_key } of digestsOf(site.log)) {
      digests.push({ number, public_key });
    }
    return digests;
  };
  const { publicKey: public_key } = digestKeyOf(key);
  try {
    for (const number of [1, 2]) {
      const stop = new AbortController();
      const projector = await runSiteProjector({
        site: { ...site.config, digests: { key, everyEvents: 1 } },
        ...{ holder: newId(), signal: stop.signal, mustExist: true },
        onTrouble: (_, detail) => troubles.push(detail),
      });
      const before = (await signed()).length;
      const event = { ...sampleEvent(), id: newId() };
      const stored = await site.log.append(`tries-${number}`, [event], { expected: 'no-stream' });
      expect(stored.kind).toBe('stored');
      await vi.waitFor(async () => {
        expect((await signed()).length).toBeGreaterThan(before);
      }, 10_000);
      stop.abort();
      await projector.done;
    }
    const digests = await signed();
    expect(digests).toEqual(digests.map((_, index) => ({ number: index + 1, public_key })));
    expect(troubles).toEqual([]);
  } finally {
    await site.close();
    await rm(folder, { recursive: true, force: true });
  }
});
