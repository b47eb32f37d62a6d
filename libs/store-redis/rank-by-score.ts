import type { Clock } from '@annals/core';
import { betweenCommits } from './between-commits.ts';
import {
  type Begun,
  beginChange,
  borderMarks,
  carryOutMove,
  changeSets,
  endAll,
  joinAll,
  keepChange,
  runStep,
  type SetStep,
} from './border-changes.ts';
import { type Borders, bordersOfSample, homeBorders, rangeOf, writeBorders } from './borders.ts';
import { storeError } from './errors.ts';
import { bucketsOf, type FoundBucket, keysOf, rankTable } from './finish-building.ts';
import { limits } from './limits.ts';
import { clearScript, placesPageScript } from './range-scripts.ts';
import { listOf, textOf } from './replies.ts';
import { setScript } from './scripts.ts';
import type { Shards } from './shards.ts';
import type { SetPlace, TableLayout } from './table-layout.ts';

const lookMs = 50;

/**
 * Goes on with a change of borders that was cut off, and makes orders anew where they no longer fit the rows.
 * False where somebody else is at it, or batches are under way.
 */
export async function settle(shards: Shards, wanted: 'built' | 'any'): Promise<boolean> {
  if (await isSettled(shards, wanted)) return true;
  const begun = await beginChange(shards);
  if (!begun) return false;
  await carryOut(shards, begun);
  return isSettled(shards, wanted);
}

async function isSettled(shards: Shards, wanted: 'built' | 'any'): Promise<boolean> {
  const { versions, isMoving, building } = await borderMarks(shards);
  const [version] = versions;
  if (isMoving || versions.some((one) => one !== version)) return false;
  const isNew = wanted === 'any' && building.every((one) => one === '1');
  return isNew || building.every((one) => one === '0');
}

/** Makes the orders of a generation whose places are dealt by score; whoever commits meanwhile waits. */
export async function finishByScore(shards: Shards, clock: Clock): Promise<void> {
  for (let waitedMs = 0; waitedMs < limits.borderWaitMsMax; waitedMs += lookMs) {
    if (await settle(shards, 'built')) return;
    // Batches that follow each other without a pause are made to wait for one.
    if (await betweenCommits(shards, clock, () => settle(shards, 'built'))) return;
    await clock.sleep(lookMs);
  }
  throw storeError('busy', `${shards.connection.place}: somebody else makes the orders`);
}

/** Does what was begun, by this process or by one that is gone. */
export async function carryOut(shards: Shards, { id, change, isTaken }: Begun): Promise<void> {
  const { versions, building } = await borderMarks(shards);
  const [first = 0, ...others] = versions;
  const next = first + 1;
  // Others may have ended what was taken over. Anything else was lost by a failover: then nothing can be said of the sets.
  const isWhole =
    building.every((one) => one === '0') &&
    others.every((version) => version === first || (isTaken && version === next));
  if (isWhole && change.kind === 'move' && (await carryOutMove(shards, id, change, next))) return;
  if (isWhole && change.kind === 'none') {
    await joinAll(shards, id, next);
    return endAll(shards, id, { version: next, building: '', pairs: [] });
  }
  await keepChange(shards, id, { kind: 'rank' });
  await new Ranking(shards, id, Math.max(...versions) + 1).run();
}

/** Makes all orders from the rows, while no batch is taken. */
class Ranking {
  readonly #shards: Shards;
  readonly #id: string;
  readonly #version: number;
  #keptAt = performance.now();

  constructor(shards: Shards, id: string, version: number) {
    this.#shards = shards;
    this.#id = id;
    this.#version = version;
  }

  async run(): Promise<void> {
    const { names } = this.#shards;
    await joinAll(this.#shards, this.#id, this.#version);
    await Promise.all(names.map((one) => this.#shards.run(one, setScript, [], ['building', '2'])));
    const pairs: string[] = [];
    for (const layout of this.#shards.layouts) {
      if (layout.ranged.includes(false)) await rankTable(this.#shards, layout, () => this.#keep());
      if (layout.hasRanges) pairs.push(...(await this.#rankRanges(layout)));
    }
    await endAll(this.#shards, this.#id, { version: this.#version, building: '0', pairs });
  }

  /** Gives the borders of the groups that were cut. */
  async #rankRanges(layout: TableLayout): Promise<string[]> {
    await this.#clear(layout);
    const borders = await this.#chooseBorders(layout);
    for await (const found of bucketsOf(this.#shards, layout)) {
      const keys = layout.orderKeys(found.bucket);
      for await (const { rows } of this.#pages(layout, found)) {
        await this.#add(layout, keys, rows, borders);
        await this.#keep();
      }
    }
    return [...borders].flatMap(([key, one]) => [key, writeBorders(one)]);
  }

  async #clear(layout: TableLayout): Promise<void> {
    for (const names of this.#shards.names) {
      await runStep(this.#shards, names, clearScript, [names.borders], [this.#id]);
    }
    for (const [n, order] of layout.orders.entries()) {
      if (!layout.ranged[n]) continue;
      for await (const { names, bucket: set } of keysOf(this.#shards, order.prefix)) {
        await runStep(this.#shards, names, clearScript, [names.tag + set], [this.#id]);
        await this.#keep();
      }
    }
  }

  /** From some rows of each hash, which come in no order of theirs. */
  async #chooseBorders(layout: TableLayout): Promise<Map<string, Borders>> {
    const samples = new Map<string, { rows: number; scores: number[] }>();
    for await (const found of bucketsOf(this.#shards, layout)) {
      const keys = layout.orderKeys(found.bucket);
      for await (const { rows, size } of this.#pages(layout, found)) {
        for (const [n, key] of keys.entries()) {
          if (!layout.ranged[n]) continue;
          const sample = samples.get(key) ?? { rows: 0, scores: [] };
          samples.set(key, sample);
          sample.rows += size;
          for (const places of rows) keepSome(sample.scores, places[n]);
        }
        break;
      }
      await this.#keep();
    }
    const { rangeRowsMin, names } = this.#shards;
    const cut = [...samples].filter(([, { rows }]) => rows >= rangeRowsMin);
    return new Map(cut.map(([key, { scores }]) => [key, bordersOfSample(scores, names.length)]));
  }

  async #add(
    layout: TableLayout,
    keys: readonly string[],
    rows: readonly (SetPlace | undefined)[][],
    cut: ReadonlyMap<string, Borders>,
  ): Promise<void> {
    const { names } = this.#shards;
    const steps = names.map((): SetStep[] => []);
    for (const [n, key] of keys.entries()) {
      if (!layout.ranged[n]) continue;
      const borders = cut.get(key) ?? homeBorders(key, names.length);
      const come = rows.flatMap((places) => places[n] ?? []);
      for (const [shard, some] of Map.groupBy(come, ({ score }) => rangeOf(borders, score))) {
        steps[shard]?.push({ key, come: some });
      }
    }
    await Promise.all(
      names.map((one, n) => changeSets(this.#shards, this.#id, one, steps[n] as SetStep[])),
    );
  }

  async *#pages(layout: TableLayout, { names, bucket }: FoundBucket) {
    let cursor = '0';
    do {
      const args = [cursor, limits.rankPageRows, layout.orders.length];
      const reply = await this.#shards.run(names, placesPageScript, [names.tag + bucket], args);
      const [, next = null, pairs = null, size = null] = reply;
      cursor = textOf(next);
      const values = listOf(pairs).filter((_, n) => n % 2 === 1) as readonly Buffer[];
      yield { rows: values.map((value) => layout.readPlaces(value)), size: Number(textOf(size)) };
    } while (cursor !== '0');
  }

  async #keep(): Promise<void> {
    if (performance.now() - this.#keptAt < limits.borderChangeMsMax / 10) return;
    this.#keptAt = performance.now();
    await keepChange(this.#shards, this.#id);
  }
}

/** A sample of bounded size: once it is full, a new score takes the place of any other. */
function keepSome(scores: number[], place: SetPlace | undefined): void {
  if (!place) return;
  if (scores.length < limits.borderSampleScores) scores.push(place.score);
  else scores[Math.floor(Math.random() * scores.length)] = place.score;
}
