import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { setImmediate as turnOver } from 'node:timers/promises';
import { StoreLostError } from '@annals/projection';
import { at, entries, entry, putEntry, remove } from '@annals/projection/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SqliteStoreError } from './errors.ts';
import { generationPath } from './generation-file.ts';
import { openGenerationReader, type ReadTransaction } from './reader.ts';
import {
  builtGeneration,
  openStoreIn,
  specOf,
  temporaryFolder,
} from './testing/built-generation.ts';

function openReader(folder: string, generation = 1) {
  const reader = openGenerationReader(folder, 'sample', generation);
  onTestFinished(() => reader.close());
  return reader;
}

const topSql =
  'SELECT player, score FROM entries WHERE board = ? ORDER BY score DESC, player LIMIT 3';

/** Rows, counted rows, and the checkpoint. */
function seenOf(tx: ReadTransaction) {
  return [tx.all(topSql, 'b').length, tx.ranked('entries', ['b']).total(), tx.checkpoint()];
}

describe('a generation reader', () => {
  test('sees what was committed, with the checkpoint it is good for', async () => {
    const { folder, share } = await builtGeneration();
    await share.commit(putEntry(entry('b', 'ann', 5)), putEntry(entry('b', 'bob', 9)));
    const reader = openReader(folder);
    expect(reader.spec).toEqual(specOf(1));
    const seen = reader.read((tx) => ({
      top: tx.all(topSql, 'b'),
      one: tx.get<{ name: string }>('SELECT name FROM entries WHERE player = ?', 'ann')?.name,
      none: tx.get('SELECT name FROM entries WHERE player = ?', 'nobody'),
      checkpoint: tx.checkpoint(),
    }));
    expect(seen).toEqual({
      top: [
        { player: 'bob', score: 9 },
        { player: 'ann', score: 5 },
      ],
      one: 'The ann',
      none: undefined,
      checkpoint: at(1),
    });
    await share.commit(remove(entries, 'b', 'bob'));
    expect(reader.read((tx) => [tx.all(topSql, 'b').length, tx.checkpoint()])).toEqual([1, at(2)]);
  });

  test('sees one state in one transaction, while commits go on', async () => {
    const { folder, share } = await builtGeneration();
    await share.commit(putEntry(entry('b', 'ann', 5)));
    const reader = openReader(folder);
    const commits: Promise<void>[] = [];
    const look = () =>
      reader.read((tx) => {
        const before = [tx.all(topSql, 'b'), tx.ranked('entries', ['b']).total(), tx.checkpoint()];
        commits.push(share.commit(putEntry(entry('b', 'bob', commits.length + 1))));
        const after = [tx.all(topSql, 'b'), tx.ranked('entries', ['b']).total(), tx.checkpoint()];
        expect(after).toEqual(before);
        return tx.ranked('entries', ['b']).total();
      });
    expect(look()).toBe(1);
    await Promise.all(commits);
    expect(look()).toBe(2);
    await Promise.all(commits);
  });

  test('reads of one turn share a transaction, which sees nothing of a commit until the next one', async () => {
    const { folder, share } = await builtGeneration();
    await share.commit(putEntry(entry('b', 'ann', 5)));
    const reader = openReader(folder);
    const look = () => reader.readInTurn(seenOf);
    expect(look()).toEqual([1, 1, at(1)]);
    const committed = share.commit(putEntry(entry('b', 'bob', 7)));
    expect(look()).toEqual([1, 1, at(1)]);
    // Whoever reads by itself sees what is there now, and so does everybody after it.
    await committed;
    await turnOver();
    expect(look()).toEqual([2, 2, at(2)]);
    const more = share.commit(putEntry(entry('b', 'cid', 9)));
    await more;
    expect(reader.read(seenOf)).toEqual([3, 3, at(3)]);
    expect(look()).toEqual([3, 3, at(3)]);
  });

  test('a turn that began is over when its reader is closed, and when a read of it breaks', async () => {
    const { folder, share } = await builtGeneration();
    const reader = openReader(folder);
    expect(() => reader.readInTurn((tx) => tx.all('SELECT nothing FROM nowhere'))).toThrow(
      SqliteStoreError,
    );
    await share.commit(putEntry(entry('b', 'ann', 5)));
    expect(reader.readInTurn(seenOf)).toEqual([1, 1, at(1)]);
    reader.close();
    await turnOver();
    expect(() => reader.readInTurn(seenOf)).toThrow(SqliteStoreError);
  });

  test('answers ranks: above, below, dense, by place', async () => {
    const { folder, share } = await builtGeneration();
    const scores = { ann: 10, bob: 7, cid: 7, dan: -3 };
    const rows = Object.entries(scores).map(([player, score]) => entry('b', player, score));
    await share.commit(...rows.map(putEntry), putEntry(entry('other', 'eve', 99)));
    const reader = openReader(folder);
    const answers = reader.read((tx) => {
      const ranked = tx.ranked('entries', ['b']);
      return {
        totals: [ranked.total(), ranked.distinctTotal()],
        ranks: Object.values(scores).map((score) => 1 + ranked.countAbove(score)),
        dense: Object.values(scores).map((score) => 1 + ranked.distinctAbove(score)),
        below: Object.values(scores).map((score) => ranked.countBelow(score)),
        ties: Object.values(scores).map((score) => ranked.countOf(score)),
        top: [0, 1, 2, 3, 4].map((place) => ranked.fromTop(place)),
        last: ranked.fromBottom(0),
        empty: tx.ranked('entries', ['none']).total(),
      };
    });
    expect(answers).toEqual({
      totals: [4, 3],
      ranks: [1, 2, 2, 4],
      dense: [1, 2, 2, 3],
      below: [3, 1, 1, 0],
      ties: [1, 2, 2, 1],
      top: [
        { score: 10, before: 0 },
        { score: 7, before: 1 },
        { score: 7, before: 1 },
        { score: -3, before: 3 },
        undefined,
      ],
      last: { score: -3, before: 0 },
      empty: 0,
    });
  });

  test('sees ranked counts change, though it keeps nodes in memory', async () => {
    const { folder, share } = await builtGeneration();
    const reader = openReader(folder);
    for (let score = 1; score <= 300; score += 1) {
      await share.commit(
        putEntry(entry('b', `p${score}`, score)),
        putEntry(entry('b', 'x', score)),
      );
      const counts = reader.read((tx) => {
        const ranked = tx.ranked('entries', ['b']);
        return [ranked.countAbove(score - 1), ranked.total(), ranked.distinctTotal()];
      });
      expect(counts).toEqual([2, score + 1, score]);
    }
  });

  test('cannot write', async () => {
    const { folder } = await builtGeneration();
    const reader = openReader(folder);
    const write = () => reader.read((tx) => tx.all('DELETE FROM entries'));
    expect(write).toThrow(expect.objectContaining({ code: 'read-only' }));
  });

  test('leaves errors of its caller alone, and goes on', async () => {
    const { folder } = await builtGeneration();
    const reader = openReader(folder);
    const bug = new RangeError('mine');
    expect(() =>
      reader.read(() => {
        throw bug;
      }),
    ).toThrow(bug);
    expect(reader.read((tx) => tx.checkpoint())).toEqual({});
  });

  test('says whether the generation is built', async () => {
    const store = openStoreIn(temporaryFolder());
    const { folder, generation } = await builtGeneration();
    expect(openReader(folder).isBuilt()).toBe(true);
    await store.close();
    const fresh = openStoreIn(folder);
    await fresh.create(specOf(2));
    const reader = openReader(folder, 2);
    expect(reader.isBuilt()).toBe(false);
    const two = await fresh.open(2);
    if (two === 'lost') throw new Error('lost');
    await two.finishBuilding?.();
    expect(reader.isBuilt()).toBe(true);
    await generation.close();
  });

  test('after close says so', async () => {
    const { folder } = await builtGeneration();
    const reader = openReader(folder);
    reader.close();
    reader.close();
    expect(() => reader.read((tx) => tx.checkpoint())).toThrow(
      expect.objectContaining({ code: 'closed' }),
    );
  });
});

describe('what is not a generation is lost', () => {
  test('a missing folder, a missing file, an empty file, a file of something else', async () => {
    const { folder, generation } = await builtGeneration();
    await generation.close();
    const path = generationPath(folder, 'sample', 1);
    const open =
      (from = folder) =>
      () =>
        openGenerationReader(from, 'sample', 1);
    expect(open(`${folder}/none`)).toThrow(StoreLostError);
    truncateSync(path);
    expect(open()).toThrow(StoreLostError);
    writeFileSync(path, 'not a database at all, but long enough to have a header'.repeat(99));
    expect(open()).toThrow(StoreLostError);
    rmSync(path);
    expect(open()).toThrow(StoreLostError);
  });

  test('names that would leave the folder are refused', () => {
    expect(() => openGenerationReader('/tmp', '../etc', 1)).toThrow(TypeError);
    for (const bad of [0, -1, 1.5, Number.NaN]) {
      expect(() => openGenerationReader('/tmp', 'sample', bad)).toThrow(RangeError);
    }
  });
});
