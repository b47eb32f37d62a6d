import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  entries,
  entry,
  matches,
  put,
  putEntry,
  remove,
  Share,
  sampleSpec,
} from '@annals/projection/contract';
import { expect, test } from 'vitest';
import { openGenerationReader } from './reader.ts';
import { builtGeneration, openStoreIn, temporaryFolder } from './testing/built-generation.ts';

/** How often a text occurs in all files below a folder. */
function occurrences(folder: string, text: string): number {
  let found = 0;
  for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const bytes = readFileSync(join(file.parentPath, file.name));
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) found += 1;
  }
  return found;
}

const secret = 'Ada Lovelace of Ockham';

/** Numbers that look like no order, the same in each run. */
function* mixed(count: number): Generator<number> {
  let state = 4_711;
  for (let n = 0; n < count; n += 1) {
    state = (state * 48_271) % 2_147_483_647;
    yield state;
  }
}

test('after a purge no byte of replaced or deleted rows is left in any file', async () => {
  const { folder, generation, share } = await builtGeneration();
  const players = [...mixed(6_000)].map((n) => `player-${n % 4_000}`);
  // Many commits in mixed order, so that pages are split and rows are moved between them.
  for (let first = 0; first < players.length; first += 500) {
    const some = new Set(players.slice(first, first + 500));
    const rows = [...some].map((player, n) => entry('b', player, n, `${secret} ${n}`));
    const written = [...some].map((player) =>
      put(matches, { id: `${secret} ${player} ${first}`, points: 1 }),
    );
    await share.commit(...rows.map(putEntry), ...written);
  }
  expect(occurrences(folder, secret)).toBeGreaterThan(6_000);
  const all = [...new Set(players)];
  await share.commit(
    ...all.slice(0, 2_000).map((player) => putEntry(entry('b', player, 1, 'erased'))),
    ...all.slice(2_000).map((player) => remove(entries, 'b', player)),
  );
  const ids = openGenerationReader(folder, 'sample', 1);
  const left = ids.read((tx) => tx.all<{ id: string }>('SELECT id FROM matches'));
  ids.close();
  await share.commit(...left.map(({ id }) => remove(matches, id)));
  expect(await generation.purge?.()).toBe('purged');
  expect(occurrences(folder, secret)).toBe(0);
  expect(occurrences(folder, 'erased')).toBeGreaterThan(0);
  const snapshot = await generation.snapshot();
  expect(await snapshot.count('entries')).toBe(Math.min(2_000, all.length));
  expect(await snapshot.problems()).toEqual([]);
  await snapshot.close();
});

test('a generation that is still filled is purged too, also of rows put aside', async () => {
  const folder = temporaryFolder();
  const store = openStoreIn(folder);
  await store.create(sampleSpec);
  const generation = await store.open(1);
  if (generation === 'lost') throw new Error('lost');
  const share = await Share.take(generation);
  await share.commit(
    put(matches, { id: secret, points: 1 }),
    put(matches, { id: 'other', points: 1 }),
    putEntry(entry('b', 'x', 1, secret)),
  );
  await share.commit(remove(matches, secret), putEntry(entry('b', 'x', 1, 'gone')));
  expect(await generation.purge?.()).toBe('purged');
  expect(occurrences(folder, secret)).toBe(0);
  const other = { id: 'other', points: 1 };
  expect(await generation.load([{ table: 'matches', key: ['other'] }])).toEqual([other]);
});

test('a purge that a reader stands in the way of says so, and works when it has gone', async () => {
  const { folder, generation, share } = await builtGeneration();
  await share.commit(putEntry(entry('b', 'x', 1, secret)));
  const snapshot = await generation.snapshot();
  await share.commit(putEntry(entry('b', 'x', 1, 'gone')));
  expect(await generation.purge?.()).toBe('blocked');
  await snapshot.close();
  expect(await generation.purge?.()).toBe('purged');
  expect(occurrences(folder, secret)).toBe(0);
});
