import { DatabaseSync } from 'node:sqlite';
import type { GenerationStore, RowChange, Table } from '@annals/projection';
import {
  at,
  cells,
  entries,
  entry,
  matches,
  put,
  putEntry,
  remove,
  rowsOf,
  Share,
  sampleSpec,
} from '@annals/projection/contract';
import { describe, expect, test } from 'vitest';
import { generationPath } from './generation-file.ts';
import { openStoreIn, temporaryFolder } from './testing/built-generation.ts';

async function building(workers = 1) {
  const folder = temporaryFolder();
  const store = openStoreIn(folder);
  await store.create({ ...sampleSpec, workers });
  return { folder, generation: await reopen(folder) };
}

async function reopen(folder: string): Promise<GenerationStore> {
  const generation = await openStoreIn(folder).open(1);
  if (generation === 'lost') throw new Error('lost');
  return generation;
}

/** What a look into the file by itself shows. */
function inFile(folder: string, sql: string): unknown[] {
  const database = new DatabaseSync(generationPath(folder, 'sample', 1), { readOnly: true });
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => Object.values(row)[0]);
  } finally {
    database.close();
  }
}

const staged = 'SELECT count(*) FROM annals_staged_matches';
const placed = 'SELECT count(*) FROM matches';
const indexes = `SELECT name FROM sqlite_schema
  WHERE type = 'index' AND sql IS NOT NULL AND name NOT LIKE 'annals%'`;
const stagedEntries = 'SELECT count(*) FROM annals_staged_entries';
const nodes = 'SELECT count(*) FROM annals_rank_nodes';

const match = (id: string, points: number): RowChange => put(matches, { id, points });

async function scoresOf(generation: GenerationStore, ...players: readonly string[]) {
  const rows = await generation.load(players.map((one) => ({ table: 'entries', key: ['x', one] })));
  return rows.map((row) => row?.score);
}

describe('while a generation is built', () => {
  test('rows are put aside, and there are no indexes and no counts', async () => {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    await share.commit(match('b', 1), match('a', 2), putEntry(entry('x', 'ann', 3)));
    expect(inFile(folder, staged)).toEqual([2]);
    expect(inFile(folder, stagedEntries)).toEqual([1]);
    expect(inFile(folder, placed)).toEqual([0]);
    expect(inFile(folder, 'SELECT count(*) FROM entries')).toEqual([0]);
    expect(inFile(folder, indexes)).toEqual([]);
    expect(inFile(folder, nodes)).toEqual([0]);
  });

  test('rows that come in the order of their key go to their places at once; a batch that fails leaves none', async () => {
    const folder = temporaryFolder();
    const store = openStoreIn(folder);
    const facts: Table = {
      name: 'facts',
      columns: { partition: 'integer', position: 'text', said: 'text' },
      key: ['partition', 'position'],
      ...{ writeOnly: true, putOnce: true, inLogOrder: true },
    };
    await store.create({ ...sampleSpec, tables: [facts] });
    const generation = await reopen(folder);
    const share = await Share.take(generation);
    const fact = (n: number, said = `fact ${n}`) =>
      put(facts, { partition: 0, position: String(n).padStart(4, '0'), said });
    await share.commit(...Array.from({ length: 100 }, (_, n) => fact(n)));
    expect(inFile(folder, 'SELECT count(*) FROM annals_staged_facts')).toEqual([0]);
    expect(inFile(folder, 'SELECT count(*) FROM facts')).toEqual([100]);
    const bad = { ...fact(101), row: { partition: 0, position: '0101', said: 1 } };
    await expect(share.commit(fact(100), bad)).rejects.toThrow('said must be text');
    expect(inFile(folder, 'SELECT count(*) FROM facts')).toEqual([100]);
    // One that comes late or again is as right, only slower.
    await share.commit(fact(200), fact(150), fact(3, 'again'), remove(facts, 0, '0004'));
    await generation.finishBuilding?.();
    const rows = (await rowsOf(generation, facts)).map(
      ({ position, said }) => `${position} ${said}`,
    );
    expect(rows).toHaveLength(101);
    expect(rows.slice(2, 5)).toEqual(['0002 fact 2', '0003 again', '0005 fact 5']);
    expect(rows.slice(-2)).toEqual(['0150 fact 150', '0200 fact 200']);
  });

  test('of several rows put aside for one key the last one counts, also over one that has its place', async () => {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    await share.commit(match('a', 1), match('b', 1));
    await share.commit(match('a', 2));
    expect(await generation.load([{ table: 'matches', key: ['a'] }])).toEqual([
      { id: 'a', points: 2 },
    ]);
    expect(inFile(folder, staged)).toEqual([0]);
    await share.commit(match('a', 3), match('c', 1));
    await share.commit(match('a', 4));
    expect(await rowsOf(generation, matches)).toEqual([
      { id: 'a', points: 4 },
      { id: 'b', points: 1 },
      { id: 'c', points: 1 },
    ]);
  });

  test('a row that was put aside can be deleted, and put again', async () => {
    const { generation } = await building();
    const share = await Share.take(generation);
    await share.commit(match('a', 1), match('b', 1));
    await share.commit(remove(matches, 'a'), match('c', 1));
    await share.commit(match('a', 2), match('b', 2));
    await share.commit(remove(matches, 'b'));
    expect(await rowsOf(generation, matches)).toEqual([
      { id: 'a', points: 2 },
      { id: 'c', points: 1 },
    ]);
  });

  test('rows that handlers read are found where they were put aside, newest first', async () => {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    await share.commit(putEntry(entry('x', 'ann', 1)), putEntry(entry('x', 'bob', 2)));
    await share.commit(putEntry(entry('x', 'ann', 3)), remove(entries, 'x', 'bob'));
    expect(await scoresOf(generation, 'ann', 'bob', 'cid')).toEqual([3, undefined, undefined]);
    expect(inFile(folder, stagedEntries)).toEqual([4]);
    await (await generation.snapshot()).close();
    expect(inFile(folder, stagedEntries)).toEqual([0]);
    await share.commit(putEntry(entry('x', 'cid', 4)), remove(entries, 'x', 'ann'));
    expect(await scoresOf(generation, 'ann', 'bob', 'cid')).toEqual([undefined, undefined, 4]);
    expect(await rowsOf(generation, entries)).toEqual([entry('x', 'cid', 4)]);
  });

  test('what another instance put aside, merged or took back is seen', async () => {
    const { folder, generation } = await building(2);
    const other = await reopen(folder);
    const share = await Share.take(generation, 0);
    const otherShare = await Share.take(other, 1);
    await share.commit(putEntry(entry('x', 'ann', 1)), putEntry(entry('x', 'bob', 1)));
    expect(await scoresOf(other, 'ann', 'bob')).toEqual([1, 1]);
    await otherShare.commit(putEntry(entry('x', 'cid', 2)), remove(entries, 'x', 'bob'));
    expect(await scoresOf(generation, 'ann', 'bob', 'cid')).toEqual([1, undefined, 2]);
    // Merged by the one, and as many put aside again: the other must not take them for those of before.
    await (await other.snapshot()).close();
    await otherShare.commit(...['dan', 'eve', 'fay', 'gus'].map((p) => putEntry(entry('x', p, 5))));
    expect(await scoresOf(generation, 'ann', 'bob', 'dan', 'gus')).toEqual([1, undefined, 5, 5]);
    expect(inFile(folder, stagedEntries)).toEqual([4]);
  });

  test('a batch that fails leaves nothing behind in memory', async () => {
    const { generation } = await building();
    const share = await Share.take(generation);
    await share.commit(putEntry(entry('x', 'ann', 1)));
    const wrong = { ...entry('x', 'cid', 1), score: 0.5 };
    const batch = share.batch([putEntry(entry('x', 'ann', 9)), putEntry(wrong)]);
    await expect(generation.commit(batch)).rejects.toThrow('must be integer');
    expect(await scoresOf(generation, 'ann', 'cid')).toEqual([1, undefined]);
    await share.commit(putEntry(entry('x', 'cid', 2)));
    expect(await scoresOf(generation, 'ann', 'cid')).toEqual([1, 2]);
  });

  test('a row whose key the file gives back otherwise is looked for by the file itself', async () => {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    // Half a character, which SQLite replaces: the row under the index's sequence has another key.
    await share.commit(putEntry(entry('x', '\ud800', 1)));
    expect(await scoresOf(generation, '\ud800')).toEqual([1]);
    expect(inFile(folder, stagedEntries)).toEqual([0]);
  });

  test('more keys than the index begins with are all found, of every type', async () => {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    const rows = Array.from({ length: 6_000 }, (_, n) => ({
      key_text: `${n % 7}`,
      key_integer: n * 2 ** 33 - 2 ** 40,
      key_blob: new Uint8Array([n, n >> 8]),
      ...{ a_text: null, an_integer: n, a_blob: null },
    }));
    await share.commit(...rows.map((row) => put(cells, row)));
    const keys = rows.map((row) => put(cells, row));
    const absent = { table: 'cells', key: ['8', 0, new Uint8Array([1])] };
    const loaded = await generation.load([...keys, absent]);
    expect(loaded.map((row) => row?.an_integer)).toEqual([...rows.keys(), undefined]);
    expect(inFile(folder, placed.replace('matches', 'cells'))).toEqual([0]);
  });

  test('a snapshot shows what several instances put aside', async () => {
    const { folder, generation } = await building(2);
    const other = await reopen(folder);
    await (await Share.take(generation, 0)).commit(match('a', 1));
    await (await Share.take(other, 1)).commit(match('b', 1));
    expect(await rowsOf(generation, matches)).toHaveLength(2);
  });

  test('what is put aside survives, and the next process goes on with it', async () => {
    const { folder, generation } = await building();
    await (await Share.take(generation)).commit(match('a', 1), putEntry(entry('x', 'ann', 7)));
    await generation.close();
    const again = await reopen(folder);
    const share = await Share.take(again);
    expect(share.checkpoint).toEqual(at(1));
    expect(await scoresOf(again, 'ann', 'bob')).toEqual([7, undefined]);
    await share.commit(match('a', 2));
    expect(inFile(folder, staged)).toEqual([2]);
    await again.finishBuilding?.();
    expect(inFile(folder, staged)).toEqual([0]);
    expect(await rowsOf(again, matches)).toEqual([{ id: 'a', points: 2 }]);
  });
});

describe('finishing the building', () => {
  test('gives rows their places, makes indexes and counts, and later commits keep them', async () => {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    await share.commit(match('a', 1), putEntry(entry('x', 'ann', 3)));
    await generation.finishBuilding?.();
    expect(inFile(folder, staged)).toEqual([0]);
    expect(inFile(folder, indexes)).toEqual(['entries_by_score']);
    expect(inFile(folder, nodes)).toEqual([1]);
    await share.commit(match('b', 1), putEntry(entry('x', 'bob', 4)));
    expect(inFile(folder, staged)).toEqual([0]);
    expect(await rowsOf(generation, matches)).toHaveLength(2);
    expect(await rowsOf(generation, entries)).toHaveLength(2);
  });

  test('that was broken off in its midst is done again', async () => {
    const { folder, generation } = await building();
    await (await Share.take(generation)).commit(match('a', 1), putEntry(entry('x', 'ann', 3)));
    await generation.close();
    // As a crash after the first index and half of the counts would leave it.
    const database = new DatabaseSync(generationPath(folder, 'sample', 1));
    database.exec(
      `CREATE INDEX entries_by_score ON entries (board, score DESC, player);
       INSERT INTO annals_rank_groups VALUES ('entries', '"x', 7);
       INSERT INTO annals_rank_nodes VALUES (7, x'00')`,
    );
    database.close();
    const again = await reopen(folder);
    await again.finishBuilding?.();
    await again.finishBuilding?.();
    expect(await rowsOf(again, entries)).toEqual([entry('x', 'ann', 3)]);
    expect(inFile(folder, nodes)).toEqual([1]);
  });

  test('is seen by other instances that are at work', async () => {
    const { folder, generation } = await building(2);
    const other = await reopen(folder);
    const share = await Share.take(other, 1);
    await share.commit(match('a', 1), putEntry(entry('x', 'ann', 3)));
    await generation.finishBuilding?.();
    await share.commit(
      match('b', 1),
      putEntry(entry('x', 'ann', 4)),
      putEntry(entry('x', 'bob', 4)),
    );
    expect(inFile(folder, staged)).toEqual([0]);
    expect(await rowsOf(generation, entries)).toHaveLength(2);
  });
});

describe('problems of a snapshot', () => {
  /** What is said of ranked counts after the file was changed behind the store. */
  async function problemsAfter(damage: string, scores: readonly number[] = [3, 5]) {
    const { folder, generation } = await building();
    const share = await Share.take(generation);
    const changes = scores.map((score, index) => putEntry(entry('x', `p${index}`, score)));
    await share.commit(...changes);
    await generation.finishBuilding?.();
    const database = new DatabaseSync(generationPath(folder, 'sample', 1));
    database.exec(damage);
    database.close();
    const snapshot = await generation.snapshot();
    const problems = await snapshot.problems();
    await snapshot.close();
    return problems;
  }

  const x = 'entries "x:';
  test.each<[string, string, readonly string[]]>([
    [
      'a score that was raised',
      "UPDATE entries SET score = 99 WHERE player = 'p0'",
      [`${x} score 3 is held by none, counted as 1`, `${x} score 99 is held by 1, not counted`],
    ],
    [
      'a score that was made that of another row',
      "UPDATE entries SET score = 5 WHERE player = 'p0'",
      [`${x} score 3 is held by none, counted as 1`, `${x} score 5 is held by 2, counted as 1`],
    ],
    [
      'a row that is not counted',
      `INSERT INTO entries VALUES ('x', 'cid', 1, NULL)`,
      [`${x} score 1 is held by 1, not counted`],
    ],
    [
      'a group that is not counted',
      `INSERT INTO entries VALUES ('y', 'cid', 1, NULL)`,
      ['entries "y: score 1 is held by 1, not counted'],
    ],
    [
      'a row that is counted and not there',
      `DELETE FROM entries WHERE player = 'p1'`,
      [`${x} score 5 is held by none, counted as 1`],
    ],
    [
      'a group that is counted and not there',
      'DELETE FROM entries',
      [`${x} is counted and has no rows`],
    ],
  ])('name %s', async (_, damage, problems) => {
    expect(await problemsAfter(damage)).toEqual(problems);
  });

  test('one changed row among many gives two, whatever comes behind it', async () => {
    const scores = Array.from({ length: 500 }, (_, index) => index);
    expect(await problemsAfter("UPDATE entries SET score = 7 WHERE player = 'p2'", scores)).toEqual(
      [`${x} score 2 is held by none, counted as 1`, `${x} score 7 is held by 2, counted as 1`],
    );
  });

  test('a tree that is wrong in itself is told, and the other groups are compared', async () => {
    const wrong = `
      UPDATE annals_rank_nodes SET node = (SELECT x'0000000000000000000000000000084000000000000000C0');
      INSERT INTO entries VALUES ('y', 'cid', 1, NULL)`;
    expect(await problemsAfter(wrong)).toEqual([
      `${x} node 1: score 3 counts -2`,
      'entries "y: score 1 is held by 1, not counted',
    ]);
  });
});
