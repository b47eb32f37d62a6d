import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { type Delivery, hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type EventStoreDBEventLog, eventstoredbEventLog, eventstoredbLimits } from './index.ts';
import { freshFolder } from './testing/fresh-folder.ts';

vi.setConfig({ testTimeout: 120_000 });

const any = { expected: 'any' } as const;
const streams = 4;

/** Every page behind the first one of each file is overwritten, as a failing disk does it. */
function damage(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    if (!/\.sqlite(?:-wal)?$/.test(name) || name.startsWith('owner')) continue;
    const file = openSync(path, 'r+');
    const noise = Buffer.alloc(4_096, 0xa5);
    for (let at = 4_096; at < statSync(path).size; at += noise.length) {
      writeSync(file, noise, 0, noise.length, at);
    }
    closeSync(file);
  }
}

await describeOn('eventstoredb', 'an index while its process runs', ({ url }) => {
  async function filledLog(count: number) {
    const prefix = `heal_${randomUUID().slice(0, 13)}.`;
    const folder = freshFolder();
    const told: string[] = [];
    const log = await eventstoredbEventLog({
      ...{ connection: url, prefix, folder },
      onReport: ({ message }) => told.push(message),
    });
    onTestFinished(() => log.close());
    // More than the caches of the connections keep, so that what was damaged is read again.
    await fill(log, count);
    const other = async () => {
      const opened = await eventstoredbEventLog({ connection: url, prefix, folder: freshFolder() });
      onTestFinished(() => opened.close());
      return opened;
    };
    return { log, folder, told, other };
  }

  async function fill(log: EventStoreDBEventLog, count: number): Promise<void> {
    const note = 'x'.repeat(10_000);
    const appends = Array.from({ length: count }, (_none, at) =>
      log.append(`sample-${at % streams}`, [sampleEvent({ data: { note } })], any),
    );
    for (const result of await Promise.all(appends)) expect(result.kind).toBe('stored');
  }

  test('that is damaged is made anew: reads wait, a subscription goes on, nothing is lost or doubled', async () => {
    const { log, folder, told, other } = await filledLog(400);
    const subscribed = log.subscribe({})[Symbol.asyncIterator]();
    const seen: string[] = [];
    const take = async () => {
      const next: IteratorResult<Delivery, unknown> = await subscribed.next();
      if (next.done || next.value.kind !== 'events') return;
      seen.push(...next.value.events.map(({ id }) => id));
    };
    await take();
    damage(folder);
    const [page, ...appended] = await Promise.all([
      log.readStream('sample-0', { limit: 100 }),
      ...[0, 1, 2, 3].map((stream) => log.append(`sample-${stream}`, [sampleEvent()], any)),
    ]);
    expect(page.events).toHaveLength(100);
    for (const result of appended) {
      expect(result).toMatchObject({ kind: 'stored', revision: 100, duplicate: false });
    }
    await fill(log, 20);
    while (seen.length < 424) await take();
    expect(new Set(seen).size).toBe(424);
    await subscribed.return?.();
    expect(told.filter((one) => one.includes('made anew from the server'))).not.toEqual([]);
    const fresh = await other();
    expect((await hashLog(log)).digest()).toBe((await hashLog(fresh)).digest());
  });

  test('that is removed with its folder is made anew within seconds', async () => {
    const { log, folder, told } = await filledLog(8);
    rmSync(folder, { recursive: true });
    await expect
      .poll(() => told.join('\n'), { timeout: 30_000 })
      .toContain('was removed: it is made anew from the server');
    await fill(log, 4);
    expect((await log.readStream('sample-1')).head).toBe(2);
    expect(log.status().events).toBe(12);
    expect(existsSync(join(folder, 'owner.sqlite'))).toBe(true);
    // Nobody else takes the folder meanwhile.
    const second = eventstoredbEventLog({ connection: url, folder });
    await expect(second).rejects.toThrow('is the replica of another process');
  });

  test('that is removed again and again is a disk that is broken: then the log says so', async () => {
    const { log, folder, told } = await filledLog(1);
    for (let heal = 1; heal <= eventstoredbLimits.healsMax + 1; heal += 1) {
      await log.head();
      rmSync(folder, { recursive: true });
      await expect.poll(() => told.length, { timeout: 30_000 }).toBe(heal);
    }
    await expect(log.head()).rejects.toMatchObject({ code: 'corrupt' });
    await expect(log.append('sample-1', [sampleEvent()], any)).rejects.toMatchObject({
      code: 'corrupt',
    });
  });
});
