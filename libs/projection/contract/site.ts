import type { Clock } from '@annals/core';
import { onTestFinished, test } from 'vitest';
import type { Cell } from '../projection.ts';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '../store.ts';
import { sampleSpec } from './samples.ts';

/** One place that holds the generations of one projection: a folder, a keyspace, a database. */
export interface ProjectionSite {
  /**
   * Opens the store of this site. Called again, also while an earlier one is still open, it gives an
   * independent instance on the same data, as another process would have.
   */
  open(): Promise<ProjectionStore>;
  /** How many rows of a ranked table's group have a score above `score`, by the store's own ranked query. */
  countAbove(
    generation: number,
    table: string,
    group: readonly Cell[],
    score: number,
  ): Promise<number>;
  /** Ability `backup`: copies everything now; the function it gives puts that copy back, also behind open stores. */
  backup?(): Promise<() => Promise<void>>;
  /** Ability `lose`: removes a generation behind whoever has it open. */
  lose?(generation: number): Promise<void>;
  /** Ability `remains`: names of all that is left of a generation (files, keys, tables). */
  remains?(generation: number): Promise<readonly string[]>;
  /**
   * Ability `processes`: the file URL of a module that exports
   * `openStore(argument: string): Promise<ProjectionStore>`, and the argument.
   */
  readonly childProcess?: { readonly module: string; readonly argument: string };
  /** Removes the data. All instances are closed by then. */
  dispose(): Promise<void>;
}

/** What a store gives to `describeProjectionStore`. */
export interface StoreOpeners {
  /** A new site without generations, living by this clock. */
  site(clock: Clock): Promise<ProjectionSite>;
  /** Abilities this store lacks, each with the reason that the skipped tests show. */
  readonly without?: { readonly [ability in Ability]?: string };
  /** Random histories the property test tries; 30 unless told. */
  readonly propertyRuns?: number;
  /** Kills of a committing process; 5 unless told. */
  readonly kills?: number;
  /** The longest a committing process lives once it has committed; 80 unless told: a few batches of SQLite. */
  readonly killDelayMsMax?: number;
}

export type Ability = 'backup' | 'lose' | 'remains' | 'processes';

/** A clock that stands still until it is told. */
export class StandingClock implements Clock {
  #now = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  async sleep(ms: number): Promise<void> {
    this.#now += ms;
  }
}

export interface Opened {
  readonly site: ProjectionSite;
  readonly clock: StandingClock;
  readonly store: ProjectionStore;
}

/** A fresh store, closed and disposed of when the running test has finished. */
export async function openFresh(openers: StoreOpeners): Promise<Opened> {
  const clock = new StandingClock();
  const site = await openers.site(clock);
  onTestFinished(() => site.dispose());
  return { site, clock, store: await openAgain(site) };
}

/** One more instance on `site`, closed when the running test has finished. */
export async function openAgain(site: ProjectionSite): Promise<ProjectionStore> {
  const store = await site.open();
  onTestFinished(() => store.close());
  return store;
}

/** An existing generation, closed when the running test has finished. */
export async function openGeneration(
  store: ProjectionStore,
  generation: number,
): Promise<GenerationStore> {
  const opened = await store.open(generation);
  if (opened === 'lost') throw new Error(`generation ${generation} is lost`);
  onTestFinished(() => opened.close());
  return opened;
}

/** A fresh store with one empty generation of the sample tables. */
export async function openSample(
  openers: StoreOpeners,
  spec: Partial<GenerationSpec> = {},
): Promise<Opened & { readonly generation: GenerationStore }> {
  const opened = await openFresh(openers);
  const whole = { ...sampleSpec, ...spec };
  await opened.store.create(whole);
  return { ...opened, generation: await openGeneration(opened.store, whole.generation) };
}

/** A test that is skipped by name, with the reason, where the store lacks the ability. */
export function testWith(
  openers: StoreOpeners,
  ability: Ability,
  name: string,
  run: () => Promise<void>,
  timeoutMs = 30_000,
): void {
  const reason = openers.without?.[ability];
  if (reason === undefined) test(name, run, timeoutMs);
  else test.skip(`${name} (skipped: ${reason})`, run);
}
