import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { type Clock, idFromKey, systemClock } from '@annals/core';
import { at, entry, position, putEntry } from '@annals/projection/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { generationPath } from './generation-file.ts';
import { type LiveReader, liveReader, liveReaderLimits } from './live-reader.ts';
import {
  builtGeneration,
  openStoreIn,
  specOf,
  temporaryFolder,
} from './testing/built-generation.ts';

interface Followed {
  readonly live: LiveReader;
  generation: number | undefined;
}

function follow(
  folder: string,
  generation: number | undefined,
  clock: Clock = systemClock,
): Followed {
  const followed: { live: LiveReader; generation: number | undefined } = {
    generation,
    live: liveReader({
      folder,
      projection: 'sample',
      liveGeneration: () => {
        return followed.generation === undefined ? undefined : specOf(followed.generation);
      },
      clock,
    }),
  };
  onTestFinished(() => followed.live.close());
  return followed;
}

function total(live: LiveReader): number | string {
  const now = live.current();
  return now.kind === 'ready'
    ? now.reader.read((tx) => tx.ranked('entries', ['b']).total())
    : now.kind;
}

async function eventually(check: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!check()) {
    if (Date.now() > deadline) throw new Error('it never came about');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const patient = { timeoutMs: 15_000 };

describe('a live reader', () => {
  test('is building until a generation is live and built', async () => {
    const folder = temporaryFolder();
    const followed = follow(folder, undefined);
    expect(followed.live.current()).toEqual({ kind: 'building' });
    const { share } = await builtGeneration(folder, 1);
    await share.commit(putEntry(entry('b', 'ann', 1)));
    expect(followed.live.current()).toEqual({ kind: 'building' });
    followed.generation = 1;
    expect(followed.live.current()).toMatchObject({ kind: 'ready', generation: 1 });
    expect(total(followed.live)).toBe(1);
  });

  test('of a generation that is still filled is building, and ready when it is built', async () => {
    const folder = temporaryFolder();
    await builtGeneration(folder, 1);
    const store = openStoreIn(folder);
    await store.create(specOf(2));
    const { live } = follow(folder, 2);
    expect(live.current()).toEqual({ kind: 'building' });
    const two = await store.open(2);
    if (two === 'lost') throw new Error('lost');
    await two.finishBuilding?.();
    await eventually(() => live.current().kind === 'ready');
  });

  test('of a generation that was made from another log is lost, although the number is right', async () => {
    const { folder } = await builtGeneration();
    const other = { ...specOf(1), id: idFromKey('another log') };
    const live = liveReader({
      folder,
      projection: 'sample',
      liveGeneration: () => other,
      clock: systemClock,
    });
    onTestFinished(() => live.close());
    expect(live.current()).toEqual({ kind: 'lost', generation: 1 });
    expect(await live.waitFor({}, patient)).toBe('lost');
  });

  test('of a generation that the log does not bear out is lost, although its file is there', async () => {
    const { folder } = await builtGeneration();
    await builtGeneration(folder, 2);
    let number = 1;
    const live = liveReader({
      folder,
      projection: 'sample',
      liveGeneration: () => specOf(number),
      clock: systemClock,
      diverged: new Set([specOf(1).id]),
    });
    onTestFinished(() => live.close());
    expect(live.current()).toEqual({ kind: 'lost', generation: 1 });
    number = 2;
    expect(live.current()).toMatchObject({ kind: 'ready', generation: 2 });
  });

  test('flips to another generation as a whole; who holds the former reader can finish', async () => {
    const folder = temporaryFolder();
    const one = await builtGeneration(folder, 1);
    await one.share.commit(putEntry(entry('b', 'ann', 1)));
    const two = await builtGeneration(folder, 2);
    await two.share.commit(putEntry(entry('b', 'ann', 1)), putEntry(entry('b', 'bob', 1)));
    const followed = follow(folder, 1);
    const former = followed.live.current();
    expect(total(followed.live)).toBe(1);
    followed.generation = 2;
    expect(total(followed.live)).toBe(2);
    if (former.kind !== 'ready') throw new Error(former.kind);
    expect(former.reader.read((tx) => tx.ranked('entries', ['b']).total())).toBe(1);
    followed.generation = 1;
    expect(total(followed.live)).toBe(1);
  });

  test('notices a file that is removed, and one that is put back', async () => {
    const { folder, share, generation } = await builtGeneration();
    await share.commit(putEntry(entry('b', 'ann', 1)));
    const { live } = follow(folder, 1);
    expect(total(live)).toBe(1);
    expect(await generation.purge?.()).toBe('purged');
    await generation.close();
    const path = generationPath(folder, 'sample', 1);
    copyFileSync(path, `${path}.kept`);
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    await eventually(() => live.current().kind === 'lost');
    expect(live.current()).toEqual({ kind: 'lost', generation: 1 });
    renameSync(`${path}.kept`, path);
    await eventually(() => total(live) === 1);
  });

  test('looks at the file again within a fifth of a second, by the clock', async () => {
    const { folder, generation } = await builtGeneration();
    let now = 1_000_000;
    const clock: Clock = { now: () => now, sleep: systemClock.sleep };
    const { live } = follow(folder, 1, clock);
    expect(live.current().kind).toBe('ready');
    await generation.close();
    rmSync(generationPath(folder, 'sample', 1));
    now += liveReaderLimits.presenceMsMax - 1;
    expect(live.current().kind).toBe('ready');
    now += 1;
    expect(live.current().kind).toBe('lost');
    now -= 500_000;
    expect(live.current().kind).toBe('lost');
  });

  test('notices a file that was replaced, and reads the new one', async () => {
    const { folder, share, generation } = await builtGeneration();
    const { live } = follow(folder, 1);
    await share.commit(putEntry(entry('b', 'ann', 1)));
    expect(total(live)).toBe(1);
    const other = await builtGeneration(temporaryFolder(), 1);
    await other.share.commit(...['x', 'y', 'z'].map((player) => putEntry(entry('b', player, 1))));
    await other.generation.close();
    await generation.close();
    const path = generationPath(folder, 'sample', 1);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    copyFileSync(generationPath(other.folder, 'sample', 1), `${path}.new`);
    renameSync(`${path}.new`, path);
    await eventually(() => total(live) === 3);
  });

  test('closed says so', async () => {
    const { folder } = await builtGeneration();
    const { live } = follow(folder, 1);
    const waiting = live.waitFor(at(1), patient);
    live.close();
    live.close();
    expect(await waiting).toBe('timeout');
    expect(() => live.current()).toThrow(expect.objectContaining({ code: 'closed' }));
  });
});

describe('waiting for a checkpoint', () => {
  test('that is reached already is over at once', async () => {
    const { folder, share } = await builtGeneration();
    await share.commit();
    const { live } = follow(folder, 1);
    expect(await live.waitFor(at(1), { timeoutMs: 0 })).toBe('reached');
    expect(await live.waitFor({}, { timeoutMs: 0 })).toBe('reached');
    expect(await live.waitFor(at(2), { timeoutMs: 0 })).toBe('timeout');
  });

  test('ends when the commit is there, for thousands of waiters', async () => {
    const { folder, share } = await builtGeneration();
    const { live } = follow(folder, 1);
    const outcomes: string[] = [];
    const waiting = Array.from({ length: 5_000 }, async (_, n) => {
      const wanted = 1 + ((n * 7) % 10);
      outcomes.push(await live.waitFor(at(wanted), patient));
      const now = live.current();
      if (now.kind !== 'ready') throw new Error(now.kind);
      const reached = Number(now.reader.read((tx) => tx.checkpoint())[0]);
      expect(reached).toBeGreaterThanOrEqual(wanted);
    });
    for (let n = 1; n <= 10; n += 1) {
      await share.commit();
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await Promise.all(waiting);
    expect(new Set(outcomes)).toEqual(new Set(['reached']));
    expect(outcomes).toHaveLength(5_000);
  });

  test('of several partitions ends when all are reached', async () => {
    const { folder, share } = await builtGeneration();
    const { live } = follow(folder, 1);
    const wanted = { 0: position(2), 1: position(3), 7: position(1) };
    let over = false;
    const waiting = live.waitFor(wanted, patient).finally(() => {
      over = true;
    });
    await share.send(share.batch([], { 0: position(5), 7: position(1) }));
    await share.send(share.batch([], { 0: position(5), 1: position(2), 7: position(1) }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(over).toBe(false);
    await share.send(share.batch([], { 0: position(5), 1: position(3), 7: position(1) }));
    expect(await waiting).toBe('reached');
  });

  test('ends with its time, and with its signal', async () => {
    const { folder } = await builtGeneration();
    const { live } = follow(folder, 1);
    expect(await live.waitFor(at(1), { timeoutMs: 30 })).toBe('timeout');
    const abort = new AbortController();
    const waiting = live.waitFor(at(1), { ...patient, signal: abort.signal });
    abort.abort();
    expect(await waiting).toBe('timeout');
    expect(await live.waitFor(at(1), { ...patient, signal: abort.signal })).toBe('timeout');
  });

  test('after many waits that timed out still works', async () => {
    const { folder, share } = await builtGeneration();
    const { live } = follow(folder, 1);
    const waits = Array.from({ length: 3_000 }, (_, n) =>
      live.waitFor(at(100 + n), { timeoutMs: 20 }),
    );
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['timeout']));
    const waiting = live.waitFor(at(1), patient);
    await share.commit();
    expect(await waiting).toBe('reached');
  });

  test('ends when the store is lost', async () => {
    const { folder, generation } = await builtGeneration();
    const { live } = follow(folder, 1);
    const waiting = live.waitFor(at(1), patient);
    await generation.close();
    rmSync(generationPath(folder, 'sample', 1));
    expect(await waiting).toBe('lost');
    expect(await live.waitFor(at(1), patient)).toBe('lost');
  });

  test('goes on over a flip of generations', async () => {
    const folder = temporaryFolder();
    const one = await builtGeneration(folder, 1);
    const two = await builtGeneration(folder, 2);
    for (let n = 0; n < 3; n += 1) await two.share.commit();
    const followed = follow(folder, 1);
    const waiting = followed.live.waitFor(at(3), patient);
    await one.share.commit();
    followed.generation = 2;
    expect(await waiting).toBe('reached');
  });

  test('begins before a generation is live, and ends when one is and has come so far', async () => {
    const folder = temporaryFolder();
    const { share } = await builtGeneration(folder, 1);
    const followed = follow(folder, undefined);
    const waiting = followed.live.waitFor(at(1), patient);
    await share.commit();
    followed.generation = 1;
    expect(await waiting).toBe('reached');
  });

  test('fails when the live generation cannot be told, and not for ever', async () => {
    const { folder } = await builtGeneration();
    let broken = false;
    const live = liveReader({
      folder,
      projection: 'sample',
      clock: systemClock,
      liveGeneration: () => {
        if (broken) throw new RangeError('no answer');
        return specOf(1);
      },
    });
    onTestFinished(() => live.close());
    const waiting = live.waitFor(at(1), patient);
    broken = true;
    await expect(waiting).rejects.toThrow(RangeError);
    broken = false;
    expect(await live.waitFor({}, patient)).toBe('reached');
  });
});

describe('a listener', () => {
  test('is called after a change, and not without one', async () => {
    const { folder, share } = await builtGeneration();
    const { live } = follow(folder, 1);
    const seen: (number | string)[] = [];
    const end = live.onChange(() => seen.push(total(live)));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(seen).toEqual([]);
    await share.commit(putEntry(entry('b', 'ann', 1)));
    await eventually(() => seen.length === 1);
    await share.commit(putEntry(entry('b', 'bob', 1)));
    await eventually(() => seen.length === 2);
    expect(seen).toEqual([1, 2]);
    end();
    await share.commit(putEntry(entry('b', 'cid', 1)));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(seen).toEqual([1, 2]);
  });

  test('is called less often than there are commits, and always after the last one', async () => {
    const { folder, share } = await builtGeneration();
    const { live } = follow(folder, 1);
    let calls = 0;
    let last: number | string = 0;
    live.onChange(() => {
      calls += 1;
      last = total(live);
    });
    for (let n = 1; n <= 200; n += 1) await share.commit(putEntry(entry('b', `p${n}`, n)));
    await eventually(() => last === 200);
    expect(calls).toBeLessThan(200);
  });

  test('is called when the store is lost and when another generation is live', async () => {
    const folder = temporaryFolder();
    const one = await builtGeneration(folder, 1);
    await builtGeneration(folder, 2);
    const followed = follow(folder, 1);
    const kinds: string[] = [];
    followed.live.onChange(() => kinds.push(followed.live.current().kind));
    await one.generation.close();
    rmSync(generationPath(folder, 'sample', 1));
    await eventually(() => kinds.includes('lost'));
    followed.generation = 2;
    await eventually(() => kinds.at(-1) === 'ready');
  });
});
