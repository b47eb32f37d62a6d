import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PurgeNotes } from './purge-notes.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-notes-'));
  file = join(folder, 'purged.json');
});
afterEach(() => rm(folder, { recursive: true }));

const at = (position: number) => ({ 0: String(position).padStart(16, '0') });

it('say what was purged up to which erasure, also to another process', async () => {
  const notes = new PurgeNotes(file);
  const purged = { erased: at(5), checkpoint: at(8) };
  expect(notes.isPurged('board/g1', purged)).toBe(false);
  await notes.note('board/g1', purged);
  for (const reader of [notes, new PurgeNotes(file)]) {
    expect(reader.isPurged('board/g1', { erased: at(5), checkpoint: at(9) })).toBe(true);
    expect(reader.isPurged('board/g1', { erased: at(6), checkpoint: at(9) })).toBe(false);
    expect(reader.isPurged('board/g2', purged)).toBe(false);
  }
});

it('do not hold for a store that was put back from an older copy', async () => {
  const notes = new PurgeNotes(file);
  await notes.note('board/g1', { erased: at(5), checkpoint: at(8) });
  expect(notes.isPurged('board/g1', { erased: at(5), checkpoint: at(7) })).toBe(false);
});

it('keep what was noted of others', async () => {
  const notes = new PurgeNotes(file);
  const purged = { erased: at(5), checkpoint: at(8) };
  await notes.note('board/g1', purged);
  await notes.note('board/g2', purged);
  expect(notes.isPurged('board/g1', purged)).toBe(true);
});

it.each(['', '{', '[]', '{"board/g1":{"erased":"x","checkpoint":"y"}}', '{"board/g1":true}'])(
  'that cannot be read are no notes: %s',
  async (text) => {
    await writeFile(file, text);
    const notes = new PurgeNotes(file);
    expect(notes.isPurged('board/g1', { erased: at(1), checkpoint: at(1) })).toBe(false);
    await notes.note('board/g1', { erased: at(1), checkpoint: at(1) });
    expect(notes.isPurged('board/g1', { erased: at(1), checkpoint: at(1) })).toBe(true);
  },
);
