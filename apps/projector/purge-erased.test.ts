import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, newId } from '@annals/core';
import { EventTypes, eventType } from '@annals/event-log';
import {
  generationDirectory,
  type Projection,
  type ProjectionStore,
  projectionStatus,
  projectorLimits,
  rebuild,
  runProjector,
} from '@annals/projection';
import { removeAbandonedScratch } from '@annals/store-sqlite';
import { erasureEvent, erasureStream, subjectErased } from '@annals/subject-keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbedded } from './embedded.ts';
import { purgeErased, purgeLimits } from './purge-erased.ts';
import { PurgeNotes } from './purge-notes.ts';
import { projectionsOf } from './registry.ts';
import { dataLayout } from './site/data-layout.ts';
import type { Site } from './site/open-site.ts';

const projections = projectionsOf({ archives: {} });
const projection = projections[0] as Projection;
const erasures = new EventTypes([eventType(subjectErased)]);

/** Time stands still but for what a test adds; nobody sleeps for long. */
class StandingClock implements Clock {
  ahead = 0;
  readonly #start = Date.now();
  now() {
    return this.#start + this.ahead;
  }
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    await delay(Math.min(ms, 5), undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

let folder: string;
let clock: StandingClock;
let embedded: Site;
let stop: AbortController;
let running: Promise<unknown>[];
let purges: number[];
let troubles: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-purge-'));
  clock = new StandingClock();
  embedded = await openEmbedded({ dataFolder: folder, clock });
  stop = new AbortController();
  running = [];
  purges = [];
  troubles = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  await embedded.close();
  await rm(folder, { recursive: true, force: true });
});

/** The store, which says what is purged. */
function watched(): ProjectionStore {
  const store = embedded.storeFor(projection);
  return {
    create: (spec) => store.create(spec),
    drop: (generation) => store.drop(generation),
    close: () => store.close(),
    open: async (generation) => {
      const opened = await store.open(generation);
      if (opened === 'lost') return opened;
      const purge = opened.purge?.bind(opened);
      opened.purge = async () => {
        purges.push(generation);
        return (await purge?.()) ?? 'purged';
      };
      return opened;
    },
  };
}

const notesFile = () => join(folder, 'purged.json');

function startPurging(storeFor: () => ProjectionStore = watched): void {
  const { log, cipher } = embedded;
  const directory = generationDirectory(log, { signal: stop.signal, clock });
  running.push(
    purgeErased({
      ...{ log, cipher, clock, projections, storeFor, directory },
      holder: 'purge',
      signal: stop.signal,
      notes: new PurgeNotes(notesFile()),
      removeAbandoned: () => removeAbandonedScratch(dataLayout(folder).scratch),
      onTrouble: (name, detail) => troubles.push(`${name}: ${detail}`),
    }),
  );
}

function startProjecting(): void {
  const { log, cipher, storeFor } = embedded;
  const { signal } = stop;
  const directory = generationDirectory(log, { signal, clock });
  const means = { log, cipher, clock, projections, storeFor, directory, signal };
  running.push(runProjector({ ...means, holder: 'projector' }).done);
}

async function restart(): Promise<void> {
  stop.abort();
  await Promise.all(running);
  stop = new AbortController();
  running = [];
}

async function erase(subject: string): Promise<void> {
  const event = erasureEvent(subject, clock.now());
  const encoded = await erasures.encode([event], embedded.cipher);
  if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
  await embedded.log.append(erasureStream(subject), encoded.events, { expected: 'any' });
}

const operation = () => {
  const { log, cipher } = embedded;
  return { log, cipher, clock, projection, store: embedded.storeFor(projection), holder: newId() };
};

async function kinds(): Promise<string[]> {
  const { generations } = await projectionStatus(operation());
  return generations.map(({ generation, kind }) => `g${generation} ${kind}`);
}

/** What should happen within moments has 20 s; what must not happen is given a moment to. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await delay(5)) {
    if (await holds()) return;
  }
  expect.fail('in vain');
}
const moment = () => delay(100);

describe('after an erasure', () => {
  it('a generation is purged once it has passed it, and not again', async () => {
    await rebuild(operation());
    startPurging();
    await moment();
    await erase('player:ann');
    await moment();
    expect(purges).toEqual([]);
    startProjecting();
    await until(() => purges.length > 0);
    await moment();
    expect(purges).toEqual([1]);
    const noted = Object.keys(JSON.parse(await readFile(notesFile(), 'utf8')));
    expect(noted).toEqual([expect.stringMatching(/^leaderboard\/g1\/[0-9a-f-]{36}$/)]);
    await restart();
    startPurging();
    startProjecting();
    await moment();
    expect(purges).toEqual([1]);
    await erase('player:bob');
    await until(() => purges.length === 2);
    expect(troubles).toEqual([]);
  });

  it('every generation is, also one that is not live', async () => {
    await rebuild(operation());
    await rebuild(operation());
    startProjecting();
    startPurging();
    await erase('player:ann');
    await until(() => purges.length === 2);
    expect(purges.toSorted()).toEqual([1, 2]);
  });

  it('what a verification has left behind when it was killed is removed, too', async () => {
    const { scratch } = dataLayout(folder);
    const left = join(scratch, 'killed', 'leaderboard');
    await rebuild(operation());
    startProjecting();
    startPurging();
    await mkdir(left, { recursive: true });
    await writeFile(join(left, 'g1.sqlite'), 'rows with the name of ann');
    await erase('player:ann');
    await until(async () => (await readdir(scratch)).length === 0);
  });

  it('without notes it is done again at the next start', async () => {
    await rebuild(operation());
    startProjecting();
    startPurging();
    await erase('player:ann');
    await until(() => purges.length === 1);
    await restart();
    await rm(notesFile());
    startPurging();
    await until(() => purges.length === 2);
  });

  it('a point in time is dropped: it will never pass the erasure', async () => {
    startProjecting();
    await until(async () => (await kinds()).length === 1);
    const frozen = await rebuild({ ...operation(), until: { time: clock.now() } });
    expect(frozen.kind).toBe('rebuilt');
    expect(await kinds()).toEqual(['g1 followed', 'g2 frozen']);
    startPurging();
    await erase('player:ann');
    await until(async () => (await kinds()).length === 1);
    expect(await kinds()).toEqual(['g1 followed']);
  });

  it('an unfinished rebuild is left alone while somebody works on it, and dropped when abandoned', async () => {
    startProjecting();
    await until(async () => (await kinds()).length === 1);
    const interrupted = await rebuild({ ...operation(), signal: AbortSignal.abort() });
    expect(interrupted.kind).toBe('interrupted');
    const opened = await embedded.storeFor(projection).open(2);
    if (opened === 'lost') throw new Error(opened);
    const work = () => opened.acquire(0, 'rebuilder', clock.now(), projectorLimits.leaseTtlMs);
    await work();
    startPurging();
    await erase('player:ann');
    await until(() => purges.includes(1));
    for (let ms = 0; ms < purgeLimits.abandonedMs * 2; ms += projectorLimits.leaseTtlMs / 2) {
      clock.ahead += projectorLimits.leaseTtlMs / 2;
      expect((await work()).kind).toBe('acquired');
    }
    await moment();
    expect(await kinds()).toEqual(['g1 followed', 'g2 building']);
    clock.ahead += projectorLimits.leaseTtlMs * 2;
    await moment();
    expect(await kinds()).toEqual(['g1 followed', 'g2 building']);
    clock.ahead += purgeLimits.abandonedMs;
    await until(async () => (await kinds()).length === 1);
    await opened.close();
  });

  it('what was made since cannot hold the data: it is left alone', async () => {
    startProjecting();
    await until(async () => (await kinds()).length === 1);
    await erase('player:ann');
    clock.ahead += purgeLimits.cleanAfterMs + 1;
    const interrupted = await rebuild({ ...operation(), signal: AbortSignal.abort() });
    expect(interrupted.kind).toBe('interrupted');
    startPurging();
    await until(() => purges.includes(1));
    clock.ahead += purgeLimits.abandonedMs * 2;
    await moment();
    expect(await kinds()).toEqual(['g1 followed', 'g2 building']);
    expect((await rebuild(operation())).kind).toBe('rebuilt');
    await moment();
    expect(purges).toEqual([1]);
  });

  it('what fails is told and tried again', async () => {
    await rebuild(operation());
    startProjecting();
    let failures = 0;
    startPurging(() => {
      failures += 1;
      if (failures <= 2) throw new Error('the disk is gone');
      return watched();
    });
    await erase('player:ann');
    await until(() => purges.length === 1);
    expect(troubles).toHaveLength(2);
    expect(troubles[0]).toContain('the disk is gone');
  });
});

describe('without an erasure', () => {
  it('nothing is purged', async () => {
    startProjecting();
    startPurging();
    await until(async () => (await kinds()).length === 1);
    await moment();
    expect(purges).toEqual([]);
  });
});
