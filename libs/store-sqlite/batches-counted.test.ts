import { DatabaseSync } from 'node:sqlite';
import { at, entries, entry, putEntry, rowsOf, Share } from '@annals/projection/contract';
import { expect, test } from 'vitest';
import { generationPath } from './generation-file.ts';
import { builtGeneration, openStoreIn } from './testing/built-generation.ts';

test('a file that was made before batches were counted goes on, and counts from there', async () => {
  const { folder, store, share } = await builtGeneration();
  await share.commit(putEntry(entry('b', 'ann', 1)));
  await store.close();
  const file = new DatabaseSync(generationPath(folder, 'sample', 1));
  file.exec('ALTER TABLE annals_workers DROP COLUMN batches');
  file.exec('ALTER TABLE annals_workers DROP COLUMN stayed');
  file.close();

  const generation = await openStoreIn(folder).open(1);
  if (generation === 'lost') throw new Error('the generation is lost');
  const next = await Share.take(generation);
  expect(next).toMatchObject({ checkpoint: at(1), batches: 0 });
  const late = next.batch([putEntry(entry('b', 'ann', 2))], at(1));
  expect(await next.send(late)).toEqual({ kind: 'applied' });
  expect(await next.send(next.batch([putEntry(entry('b', 'ann', 3))], at(1)))).toEqual({
    kind: 'applied',
  });
  expect((await generation.commit(late)).kind).toBe('stale');
  expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 3)]);
});
