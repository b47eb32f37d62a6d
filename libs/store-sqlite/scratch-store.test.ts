import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@annals/core';
import { entries, entry, putEntry, rowsOf, Share, sampleSpec } from '@annals/projection/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { removeAbandonedScratch, sqliteScratchStore } from './scratch-store.ts';
import { temporaryFolder } from './testing/built-generation.ts';

const scratchIn = (folder: string) =>
  sqliteScratchStore({ folder, projection: 'sample', clock: systemClock });

async function holdElsewhere(folder: string) {
  const program = fileURLToPath(new URL('./testing/hold-scratch.ts', import.meta.url));
  const child = spawn(process.execPath, [program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return {
    kill: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

describe('a scratch store', () => {
  test('is a store like any other, and leaves nothing', async () => {
    const folder = join(temporaryFolder(), 'scratch');
    const { store, remove } = scratchIn(folder);
    await store.create(sampleSpec);
    const generation = await store.open(1);
    if (generation === 'lost') throw new Error('lost');
    await (await Share.take(generation)).commit(putEntry(entry('b', 'ann', 1)));
    expect(await rowsOf(generation, entries)).toEqual([entry('b', 'ann', 1)]);
    expect(readdirSync(folder)).not.toEqual([]);
    await remove();
    await remove();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is not touched while its process lives, and removed once it was killed', async () => {
    const folder = join(temporaryFolder(), 'scratch');
    const other = await holdElsewhere(folder);
    const held = readdirSync(folder);
    expect(held).toHaveLength(2);
    const { remove } = scratchIn(folder);
    removeAbandonedScratch(folder);
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(held));
    await remove();
    expect(readdirSync(folder).sort()).toEqual(held.sort());
    await other.kill();
    removeAbandonedScratch(folder);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of another one in this process is not touched either', async () => {
    const folder = join(temporaryFolder(), 'scratch');
    const one = scratchIn(folder);
    const two = scratchIn(folder);
    expect(readdirSync(folder).filter((name) => name.endsWith('.lock'))).toHaveLength(2);
    await one.remove();
    await two.store.create(sampleSpec);
    expect(await two.store.open(1)).not.toBe('lost');
    await two.remove();
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('what is abandoned is removed, whatever of it is left, and where nothing is there nothing is done', () => {
  const folder = temporaryFolder();
  removeAbandonedScratch(join(folder, 'none'));
  mkdirSync(join(folder, 'without-a-lock', 'sample'), { recursive: true });
  writeFileSync(join(folder, 'without-a-lock', 'sample', 'g1.sqlite'), 'rows');
  writeFileSync(join(folder, 'without-a-folder.lock'), '');
  removeAbandonedScratch(folder);
  expect(readdirSync(folder)).toEqual([]);
});
