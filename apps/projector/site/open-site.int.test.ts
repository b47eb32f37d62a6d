import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn, type Engine } from '@annals/core/testing';
import type { NewEvent } from '@annals/event-log';
import { expect, onTestFinished, test } from 'vitest';
import { projectionNamed } from '../registry.ts';
import { dataLayout } from './data-layout.ts';
import { type LogPlace, parseLogUrl } from './log-url.ts';
import { openLogAt } from './open-log.ts';
import { openSite } from './open-site.ts';
import { type SiteSettings, siteConfigOf } from './site-config.ts';
import { parseStoreUrl, type StorePlace } from './store-url.ts';

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'annals-site-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const event = (): NewEvent => ({
  ...{ id: randomUUID(), type: 'played', schemaVersion: 1, data: '{}' },
  ...{ contentHash: 'a'.repeat(64), occurredAt: 1 },
});

function urlOn(engine: Engine): string {
  return engine.id === 'kafka'
    ? `${engine.url}/test-${randomUUID()}?partitions=2`
    : `${engine.url}&prefix=${randomUUID()}-`;
}

const logEngines = ['kafka', 'eventstoredb'] as const;
for (const name of logEngines) {
  await describeOn(name, `A log on ${name} by its URL`, (engine) => {
    test('is opened by any number of processes of one data folder', async () => {
      const url = urlOn(engine);
      const dataFolder = freshFolder();
      const first = await openLogAt(url, { dataFolder });
      onTestFinished(() => first.log.close());
      const [one, other] = [event(), event()];
      await first.log.append('plays-1', [one], { expected: 'no-stream' });

      const second = await openLogAt(url, { dataFolder });
      onTestFinished(() => second.log.close());
      await second.log.append('plays-1', [other], { expected: 0 });
      const { events } = await second.log.readStream('plays-1');
      expect(events.map(({ id }) => id)).toEqual([one.id, other.id]);
      const [replicas = ''] = readdirSync(dataLayout(dataFolder).replicas);
      expect(readdirSync(join(dataLayout(dataFolder).replicas, replicas))).toEqual(['1', '2']);
      expect(first.figures()).toMatchObject({ queueDepth: 0 });
    });
  });
}

await describeOn('kafka', 'A topic that must be there', (kafka) => {
  test('is not made', async () => {
    const url = urlOn(kafka);
    const opening = openLogAt(url, { dataFolder: freshFolder(), mustExist: true });
    await expect(opening).rejects.toMatchObject({ code: 'not-a-log' });
  });
});

test('a text that names no log is told without its password', async () => {
  const opening = openLogAt('kafka://ann:secret@h:1/a b', { dataFolder: freshFolder() });
  await expect(opening).rejects.toThrow(/^kafka:\/\/ann:\*\*\*@h:1\/a b has a topic with other/);
});

await describeOn('redis', 'A site with its read models in Redis', (redis) => {
  test('has the rest in its data folder; the same log only once', async () => {
    const dataFolder = freshFolder();
    const store = parseStoreUrl(`${redis.url}?prefix=test-${randomUUID()}`, ['redis']);
    const log = parseLogUrl(`sqlite:${dataFolder}`);
    const settings: SiteSettings = {
      ANNALS_DATA: dataFolder,
      ANNALS_LEADERBOARD_LOG: log as LogPlace,
      ANNALS_LEADERBOARD_STORE: store as StorePlace,
    };
    const site = await openSite(siteConfigOf(settings));
    onTestFinished(() => site.close());
    expect(site.logs).toHaveLength(1);
    expect(site.logOf('leaderboard')).toBe(site.log);
    const projection = projectionNamed('leaderboard')!;
    expect(site.storeFor(projection)).toBe(site.storeFor(projection));
    expect(await site.storeFor(projection).open(1)).toBe('lost');
    const reads = site.liveFor(projection, { liveGeneration: () => undefined });
    onTestFinished(() => reads.live.close());
    expect(reads.kind).toBe('redis');
    expect(await reads.live.current()).toEqual({ kind: 'building' });
  });
});
