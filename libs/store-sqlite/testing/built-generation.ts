import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { idFromKey, systemClock } from '@annals/core';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '@annals/projection';
import { Share, sampleSpec } from '@annals/projection/contract';
import { onTestFinished } from 'vitest';
import { sqliteProjectionStore } from '../sqlite-projection-store.ts';

/** A folder that is gone when the running test has finished. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'annals-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function openStoreIn(folder: string): ProjectionStore {
  const store = sqliteProjectionStore({ folder, projection: 'sample', clock: systemClock });
  onTestFinished(() => store.close());
  return store;
}

/** The sample tables under this number. */
export function specOf(generation: number): GenerationSpec {
  return { ...sampleSpec, generation, id: idFromKey('sample', String(generation)) };
}

export interface BuiltGeneration {
  readonly folder: string;
  readonly store: ProjectionStore;
  readonly generation: GenerationStore;
  readonly share: Share;
}

/** A generation of the sample tables that is built and empty. */
export async function builtGeneration(
  folder = temporaryFolder(),
  number = 1,
): Promise<BuiltGeneration> {
  const store = openStoreIn(folder);
  await store.create(specOf(number));
  const generation = await store.open(number);
  if (generation === 'lost') throw new Error('the new generation is lost');
  await generation.finishBuilding?.();
  return { folder, store, generation, share: await Share.take(generation) };
}
