import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@annals/core';
import { coversAll } from '@annals/event-log';
import {
  type GenerationReader,
  openGenerationReader,
  sqliteProjectionStore,
} from '@annals/store-sqlite';
import { describeLeaderboardReadModel } from '../contract/index.ts';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { sqliteLeaderboardReadModel } from './sqlite.ts';

const projection = leaderboardProjection.name;

describeLeaderboardReadModel('SQLite', {
  site: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-board-'));
    const store = sqliteProjectionStore({ folder, projection, clock: systemClock });
    let reader: GenerationReader | undefined;
    return {
      store: async () => store,
      readModel: async () => {
        const opened = openGenerationReader(folder, projection, 1);
        reader = opened;
        return sqliteLeaderboardReadModel({
          current: () =>
            opened.isSameFile() ? { kind: 'ready', reader: opened } : { kind: 'lost' },
          waitFor: async (checkpoint, timeoutMs, signal) => {
            const deadline = Date.now() + timeoutMs;
            for (;;) {
              if (!opened.isSameFile()) return 'lost';
              if (
                coversAll(
                  opened.read((r) => r.checkpoint()),
                  checkpoint,
                )
              )
                return 'reached';
              if (signal?.aborted || Date.now() > deadline) return 'late';
              await systemClock.sleep(10, signal);
            }
          },
        });
      },
      lose: () => store.drop(1),
      dispose: async () => {
        reader?.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
});
