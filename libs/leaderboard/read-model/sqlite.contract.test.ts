import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@annals/core';
import { liveReader, sqliteProjectionStore } from '@annals/store-sqlite';
import { describeLeaderboardReadModel, historySpec } from '../contract/index.ts';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { readsOf } from '../testing/live-leaderboard.ts';
import { sqliteLeaderboardReadModel } from './sqlite.ts';

const projection = leaderboardProjection.name;

describeLeaderboardReadModel('SQLite', {
  site: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'annals-board-'));
    const store = sqliteProjectionStore({ folder, projection, clock: systemClock });
    const live = liveReader({
      folder,
      projection,
      liveGeneration: () => historySpec,
      clock: systemClock,
    });
    return {
      store: async () => store,
      readModel: async () => sqliteLeaderboardReadModel(readsOf(live)),
      lose: () => store.drop(1),
      dispose: async () => {
        live.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
});
