import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@annals/core';
import {
  at,
  entries,
  entry,
  putEntry,
  rowsOf,
  Share,
  sampleSpec,
} from '@annals/projection/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SqliteStoreError } from './errors.ts';
import { sqliteProjectionStore } from './sqlite-projection-store.ts';
import { builtGeneration, openStoreIn, temporaryFolder } from './testing/built-generation.ts';

describe('a full disk', () => {
  test.each([
    ['building', false],
    ['built', true],
  ])(
    'fails the commit by name, loses nothing, and goes on when there is space (%s)',
    async (_, built) => {
      const folder = temporaryFolder();
      const roomy = openStoreIn(folder);
      await roomy.create(sampleSpec);
      const small = sqliteProjectionStore({
        folder,
        projection: 'sample',
        clock: systemClock,
        fileBytesMax: 200_000,
      });
      onTestFinished(() => small.close());
      const generation = await small.open(1);
      if (generation === 'lost') throw new Error('lost');
      if (built) await generation.finishBuilding?.();
      const share = await Share.take(generation);
      await share.commit(putEntry(entry('b', 'ann', 1)));
      const rows = Array.from({ length: 5_000 }, (_, n) => entry('b', `player-${n}`, n));
      const large = share.batch(rows.map(putEntry));
      const thrown = await generation.commit(large).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(SqliteStoreError);
      expect(thrown).toMatchObject({
        code: 'disk-full',
        message: expect.stringContaining('g1.sqlite'),
      });
      expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 1)]);
      expect(await generation.checkpoint()).toEqual(at(1));
      const wide = await roomy.open(1);
      if (wide === 'lost') throw new Error('lost');
      expect(await wide.commit(large)).toEqual({ kind: 'applied' });
      expect(await rowsOf(wide, entries)).toHaveLength(5_001);
      const onward = await Share.take(generation);
      await onward.commit(putEntry(entry('b', 'ann', 2)));
      expect(await rowsOf(generation, entries)).toHaveLength(5_001);
    },
  );
});

describe('a folder that may not be written', () => {
  test.each(['create', 'open', 'drop'])('is named by %s', async (step) => {
    const { folder, generation, share, store } = await builtGeneration();
    await share.commit(putEntry(entry('b', 'ann', 1)));
    await generation.close();
    await store.close();
    for (const path of [folder, join(folder, 'sample')]) chmodSync(path, 0o555);
    chmodSync(join(folder, 'sample', 'g1.sqlite'), 0o444);
    onTestFinished(() => {
      for (const path of [folder, join(folder, 'sample')]) chmodSync(path, 0o755);
    });
    const program = fileURLToPath(new URL('./testing/open-elsewhere.ts', import.meta.url));
    // Modes do not bind the superuser, so the child is somebody else.
    const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const child = spawnSync(process.execPath, [program, folder, step], { ...asNobody });
    expect(child.stderr.toString()).toBe('');
    expect(JSON.parse(child.stdout.toString())).toEqual({
      code: 'read-only',
      message: expect.stringContaining(join(folder, 'sample')),
    });
  });
});

describe('a damaged file', () => {
  test('is not taken for an empty one', async () => {
    const { folder, generation, share, store } = await builtGeneration();
    const rows = Array.from({ length: 3_000 }, (_, n) => entry('b', `player-${n}`, n));
    await share.commit(...rows.map(putEntry));
    await generation.close();
    await store.close();
    const path = join(folder, 'sample', 'g1.sqlite');
    const bytes = readFileSync(path);
    // The first page, with the schema, stays; all pages of rows are overwritten.
    bytes.fill(0xa5, 40_960);
    writeFileSync(path, bytes);
    const again = await openStoreIn(folder).open(1);
    if (again === 'lost') return;
    const thrown = await rowsOf(again, entries).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'corrupt' });
  });
});
