import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { matches, put, type Share } from '@annals/projection/contract';
import { expect, test, vi } from 'vitest';
import { generationPath } from './generation-file.ts';
import { limits } from './limits.ts';
import { builtGeneration, temporaryFolder } from './testing/built-generation.ts';

/** The rows of a copy of the file without its WAL: those that have been written back. */
function rowsWrittenBack(folder: string): number {
  const copy = join(temporaryFolder(), 'copy.sqlite');
  copyFileSync(generationPath(folder, 'sample', 1), copy);
  using database = new DatabaseSync(copy);
  return Number(database.prepare('SELECT count(*) AS rows FROM matches').get()?.rows);
}

async function commitRows(share: Share, first: number, rows: number): Promise<void> {
  const changes = Array.from({ length: rows }, (_, index) =>
    put(matches, { id: `match-${first + index}`, points: 1 }),
  );
  await share.commit(...changes);
}

test('the WAL of a live generation is written back beside its commits', async () => {
  const { folder, share } = await builtGeneration();
  await commitRows(share, 0, limits.checkpointRows - 1);
  expect(rowsWrittenBack(folder)).toBe(0);
  await commitRows(share, limits.checkpointRows, 1);
  await vi.waitFor(() => expect(rowsWrittenBack(folder)).toBe(limits.checkpointRows), {
    timeout: 10_000,
    interval: 20,
  });
});

test('closing waits for it, so that the folder can be removed right after', async () => {
  const { folder, generation, share } = await builtGeneration();
  await commitRows(share, 0, limits.checkpointRows);
  await generation.close();
  expect(rowsWrittenBack(folder)).toBe(limits.checkpointRows);
});
