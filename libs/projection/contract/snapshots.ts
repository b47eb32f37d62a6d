import { describe, expect, onTestFinished, test } from 'vitest';
import type { Cell, Row } from '../projection.ts';
import { allRows, at, cells, entries, entry, put, putEntry, remove, Share } from './samples.ts';
import { openSample, type StoreOpeners } from './site.ts';

export function describeSnapshots(openers: StoreOpeners): void {
  describe('a snapshot', () => {
    test('shows one checkpoint while commits go on', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation);
      const before = ['ann', 'bob', 'cid'].map((player) => entry('b', player, 1));
      await share.commit(...before.map(putEntry));
      const snapshot = await generation.snapshot();
      onTestFinished(() => snapshot.close());
      await share.commit(putEntry(entry('b', 'ann', 2)), remove(entries, 'b', 'bob'));
      await share.commit(putEntry(entry('a', 'new', 1)), putEntry(entry('c', 'new', 1)));
      expect(snapshot.checkpoint).toEqual(at(1));
      expect(await snapshot.count('entries')).toBe(3);
      expect(await allRows(snapshot, 'entries')).toEqual(before);
      expect(await snapshot.problems()).toEqual([]);
      const later = await generation.snapshot();
      onTestFinished(() => later.close());
      expect(later.checkpoint).toEqual(at(3));
      expect(await later.count('entries')).toBe(4);
    });

    test('goes on showing it when commits come between its pages', async () => {
      const { generation } = await openSample(openers);
      const share = await Share.take(generation);
      const rows = Array.from({ length: 4_500 }, (_, n) => entry('b', `p${10_000 + n}`, 1));
      await share.commit(...rows.map(putEntry));
      const snapshot = await generation.snapshot();
      onTestFinished(() => snapshot.close());
      const seen: Row[] = [];
      let pages = 0;
      for await (const page of snapshot.rows('entries')) {
        seen.push(...page);
        pages += 1;
        await share.commit(
          putEntry(entry('b', `p${10_000 + 1_000 * pages}`, 99)),
          remove(entries, 'b', `p${10_001 + 1_000 * pages}`),
          putEntry(entry('b', `q${pages}`, 1)),
        );
      }
      expect(pages).toBeGreaterThan(1);
      expect(seen).toEqual(rows);
    });

    test('gives the rows in key order: integers by value, text and blobs by their bytes', async () => {
      const { generation } = await openSample(openers);
      const texts = ['', 'A', 'B', 'a', 'b', 'ab', 'é', '\uE000', '👍', 'ﬀ', 'a\u0000'];
      const integers = [-(2 ** 53) + 1, -11, -2, 0, 1, 2, 10, 2 ** 40];
      const blobs = [[], [0], [1], [1, 0], [2], [255]];
      const rows = texts.flatMap((key_text) =>
        integers.flatMap((key_integer) =>
          blobs.map((blob) => ({
            key_text,
            key_integer,
            key_blob: new Uint8Array(blob),
            a_text: null,
            an_integer: null,
            a_blob: null,
          })),
        ),
      );
      const shuffled = rows.toSorted((a, b) => order(a) - order(b));
      await (await Share.take(generation)).commit(...shuffled.map((row) => put(cells, row)));
      const snapshot = await generation.snapshot();
      onTestFinished(() => snapshot.close());
      const keys = (await allRows(snapshot, 'cells')).map(keyOf);
      const sorted = rows.toSorted(
        (a, b) =>
          Buffer.compare(Buffer.from(a.key_text), Buffer.from(b.key_text)) ||
          a.key_integer - b.key_integer ||
          Buffer.compare(a.key_blob, b.key_blob),
      );
      expect(keys).toEqual(sorted.map(keyOf));
    });

    test('of a table that is not in the spec is a bug', async () => {
      const { generation } = await openSample(openers);
      const snapshot = await generation.snapshot();
      onTestFinished(() => snapshot.close());
      await expect(snapshot.count('strays')).rejects.toThrow(TypeError);
      await expect(allRows(snapshot, 'strays')).rejects.toThrow(TypeError);
    });

    test('outlives nothing but is closed twice without harm', async () => {
      const { generation } = await openSample(openers);
      const snapshot = await generation.snapshot();
      await snapshot.close();
      await snapshot.close();
      await (await Share.take(generation)).commit();
    });
  });
}

/** Some order that is not the key's. */
function order(row: Row): number {
  const text = JSON.stringify(keyOf(row));
  let hash = 7;
  for (const unit of text) hash = (hash * 31 + (unit.codePointAt(0) ?? 0)) % 1_000_003;
  return hash;
}

function keyOf(row: Row): readonly (Cell | readonly number[] | undefined)[] {
  const blob = row.key_blob;
  return [row.key_text, row.key_integer, blob instanceof Uint8Array ? [...blob] : undefined];
}
