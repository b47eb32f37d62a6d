import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { idFromKey, type SubjectCipher, systemClock } from '@annals/core';
import { type Checkpoint, type EventLog, memoryEventLog } from '@annals/event-log';
import {
  Fold,
  type GenerationSpec,
  type Projection,
  type ProjectionStore,
} from '@annals/projection';
import type { HistoryStep } from '@annals/projection/contract';
import { openGenerationReader, sqliteProjectionStore } from '@annals/store-sqlite';
import { onTestFinished } from 'vitest';
import type { LiveGeneration } from '../read-model/live.ts';

/** A log with a history in it, each append recorded a while after the one before. */
export async function logOf(steps: readonly HistoryStep[], partitions: number, stepMs: number) {
  let now = Date.parse('2026-11-24T12:00:00Z');
  const log = memoryEventLog({ partitions, clock: { now: () => now } });
  for (const step of steps) {
    now += stepMs;
    if ('act' in step) {
      await step.act(log);
      continue;
    }
    const result = await log.append(step.stream, step.events, { expected: 'any' });
    if (result.kind !== 'stored') throw new Error(`${step.stream}: ${result.kind}`);
  }
  return log;
}

/** The SQLite file of a projection that has followed the log to its end, in batches of a few events. */
export async function fedStore(
  projection: Projection,
  log: EventLog,
  cipher: SubjectCipher,
): Promise<LiveGeneration & { readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'annals-payments-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { name } = projection;
  const store = sqliteProjectionStore({ folder, projection: name, clock: systemClock });
  await feed(store, projection, log, cipher);
  await store.close();
  const reader = openGenerationReader(folder, name, 1);
  onTestFinished(() => reader.close());
  return {
    path: reader.path,
    current: () => ({ kind: 'ready', reader }),
    waitFor: async () => 'reached',
  };
}

/** The generation that `feed` makes. */
export function fedGeneration({ name, version, tables, split }: Projection): GenerationSpec {
  const id = idFromKey('generation', name);
  return { id, projection: name, version, generation: 1, tables, workers: 1, split };
}

/** Has a projection follow a log to its end in generation 1 of a store, in batches of a few events. */
export async function feed(
  store: ProjectionStore,
  projection: Projection,
  log: EventLog,
  cipher: SubjectCipher,
): Promise<void> {
  await store.create(fedGeneration(projection));
  const generation = await store.open(1);
  if (generation === 'lost') throw new Error('the store lost what it just made');
  const lease = await generation.acquire(0, 'feeder', systemClock.now(), 3_600_000);
  if (lease.kind !== 'acquired') throw new Error('somebody else works on a new store');
  const fold = new Fold({ projection });
  fold.reset((keys) => generation.load(keys), true);
  let from: Checkpoint = {};
  let { batches: after } = lease;
  for (let end = false; !end; ) {
    const page = await log.read(from, { categories: projection.categories }, { limit: 60 });
    await fold.add(await projection.decode(page.events, cipher));
    const to = page.checkpoint;
    const changes = fold.changes();
    const batch = { worker: 0, epoch: lease.epoch, from, to, after, tail: '', changes };
    const result = await generation.commit(batch);
    if (result.kind !== 'applied' && result.kind !== 'already-applied')
      throw new Error(result.kind);
    fold.sealed();
    from = to;
    after += 1;
    end = page.end;
  }
  await generation.finishBuilding?.();
  await generation.close();
}
