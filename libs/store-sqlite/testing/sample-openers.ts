import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { StoreOpeners } from '@annals/projection/contract';
import { generationFiles, generationPath, removeGenerationFiles } from '../generation-file.ts';
import { openGenerationReader } from '../reader.ts';
import { sqliteProjectionStore } from '../sqlite-projection-store.ts';

/** A folder of its own for each test. */
export const sampleOpeners: StoreOpeners = {
  site: async (clock) => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-store-'));
    const path = (generation: number) => generationPath(folder, 'sample', generation);
    return {
      open: async () => sqliteProjectionStore({ folder, projection: 'sample', clock }),
      countAbove: async (generation, table, group, score) => {
        const reader = openGenerationReader(folder, 'sample', generation);
        try {
          return reader.read((tx) => tx.ranked(table, group).countAbove(score));
        } finally {
          reader.close();
        }
      },
      backup: async () => {
        const copies = await Promise.all(
          [1, 2, 3].filter((n) => existsSync(path(n))).map((n) => backUp(path(n))),
        );
        return async () => {
          for (const { from, copy } of copies) {
            const ready = `${from}.restored`;
            copyFileSync(copy, ready);
            for (const suffix of ['-wal', '-shm']) rmSync(from + suffix, { force: true });
            renameSync(ready, from);
          }
        };
      },
      lose: async (generation) => removeGenerationFiles(path(generation)),
      remains: async (generation) =>
        generationFiles(path(generation)).map((file) => basename(file)),
      childProcess: {
        module: new URL('./open-store.ts', import.meta.url).href,
        argument: folder,
      },
      dispose: async () => rmSync(folder, { recursive: true }),
    };
  },
};

async function backUp(from: string): Promise<{ from: string; copy: string }> {
  const copy = `${from}.backup`;
  const source = new DatabaseSync(from, { readOnly: true });
  source.exec(`VACUUM INTO '${copy}'`);
  source.close();
  return { from, copy };
}
