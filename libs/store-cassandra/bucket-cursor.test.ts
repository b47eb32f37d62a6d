import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BeforeImage } from './before-images.ts';
import { BucketCursor, type BucketSource, mergedRows } from './bucket-cursor.ts';
import { keyBytes } from './cells.ts';
import type { KeyedRow } from './table-rows.ts';

/** A partition that changes while it is read: each change keeps an image of what was there. */
class ChangingBucket implements BucketSource {
  readonly #rows = new Map<number, number>();
  readonly #images = new Map<number, number | undefined>();
  readonly #changes: (() => void)[] = [];
  readonly #pageRows: number;

  constructor(keys: readonly number[], pageRows: number) {
    for (const key of keys) this.#rows.set(key, 0);
    this.#pageRows = pageRows;
  }

  /** A change that happens before some read. */
  later(key: number, stamp: number | undefined): void {
    this.#changes.push(() => {
      if (!this.#images.has(key)) this.#images.set(key, this.#rows.get(key));
      if (stamp === undefined) this.#rows.delete(key);
      else this.#rows.set(key, stamp);
    });
  }

  async page(from: string | undefined) {
    this.#changes.shift()?.();
    const after = from === undefined ? Number.NEGATIVE_INFINITY : Number(from);
    const keys = [...this.#rows.keys()].filter((key) => key > after).sort((a, b) => a - b);
    const page = keys.slice(0, this.#pageRows);
    const rows: KeyedRow[] = page.map((key) => ({
      key: keyBytes([key]),
      stamp: this.#rows.get(key) ?? 0,
      row: { key, value: this.#rows.get(key) ?? 0 },
    }));
    return { rows, next: keys.length > page.length ? String(page.at(-1)) : undefined };
  }

  async images(after: Buffer | undefined, upTo: Buffer | undefined) {
    this.#changes.shift()?.();
    const images: BeforeImage[] = [...this.#images]
      .sort(([a], [b]) => a - b)
      .map(([key, value]) => ({
        key: keyBytes([key]),
        row: value === undefined ? undefined : { key, value },
      }));
    return images.filter(
      ({ key }) =>
        (!after || Buffer.compare(key, after) > 0) && (!upTo || Buffer.compare(key, upTo) <= 0),
    );
  }

  isLater({ stamp }: KeyedRow): boolean {
    return stamp > 0;
  }
}

const keys = fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { maxLength: 15 });
const changes = fc.array(
  fc.tuple(fc.integer({ min: -21, max: 21 }), fc.option(fc.integer({ min: 1, max: 9 }))),
  { maxLength: 20 },
);

test('whatever changes between its reads, a snapshot shows the rows as they were, in key order', async () => {
  const run = async (
    buckets: readonly (readonly [readonly number[], readonly [number, number | null][]])[],
    pageRows: number,
  ) => {
    const cursors = buckets.map(([held, changed], n) => {
      // Keys of one bucket are no other's.
      const bucket = new ChangingBucket(
        held.map((key) => key * buckets.length + n),
        pageRows,
      );
      for (const [key, stamp] of changed)
        bucket.later(key * buckets.length + n, stamp ?? undefined);
      return new BucketCursor(bucket);
    });
    const seen: unknown[] = [];
    const fillAll = async (all: readonly BucketCursor[]) => {
      for (const cursor of all) await cursor.fill();
    };
    for await (const { row } of mergedRows(cursors, fillAll)) seen.push(row);
    const expected = buckets
      .flatMap(([held], n) => held.map((key) => key * buckets.length + n))
      .sort((a, b) => a - b)
      .map((key) => ({ key, value: 0 }));
    expect(seen).toEqual(expected);
  };
  const several = fc.array(fc.tuple(keys, changes), { maxLength: 4 });
  await fc.assert(fc.asyncProperty(several, fc.integer({ min: 1, max: 5 }), run), {
    numRuns: 500,
  });
});

test('a changed row of which no image was kept is not passed off for an old one', async () => {
  const bucket = new ChangingBucket([1], 5);
  const cursor = new BucketCursor({
    page: (from) => bucket.page(from),
    images: async () => [],
    isLater: (row) => bucket.isLater(row),
  });
  bucket.later(1, 7);
  await expect(cursor.fill()).rejects.toThrow('no image');
});
