import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@annals/core';
import { type MemoryEventLog, type MemoryStorage, memoryEventLog } from '@annals/event-log';
import { generationDirectory, type Operation, runProjector } from '@annals/projection';
import { type LiveReader, liveReader, sqliteProjectionStore } from '@annals/store-sqlite';
import {
  type MemorySubjectKeys,
  memorySubjectKeyStore,
  memorySubjectKeys,
  subjectCipher,
} from '@annals/subject-keys';
import { followBoards } from '../board-directory.ts';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { type LiveGeneration, sqliteLeaderboardReadModel } from '../read-model/sqlite.ts';
import { Leaderboard } from '../service.ts';

/** The live reader of a store as the leaderboard asks for it, where a generation is live for sure. */
export function readsOf(live: LiveReader): LiveGeneration {
  return {
    current: () => {
      const now = live.current();
      if (now.kind === 'building') throw new Error('no generation is live yet');
      return now;
    },
    waitFor: async (checkpoint, timeoutMs, signal) => {
      const outcome = await live.waitFor(
        checkpoint,
        signal ? { timeoutMs, signal } : { timeoutMs },
      );
      return outcome === 'timeout' ? 'late' : outcome;
    },
  };
}

/** What outlives a process: the log's storage, the keys, and the folder of the read models. */
export interface Site {
  readonly storage: MemoryStorage;
  readonly keys: MemorySubjectKeys;
  readonly folder: string;
}

export function newSite(storage: MemoryStorage): Site {
  const folder = mkdtempSync(join(tmpdir(), 'annals-live-'));
  return { storage, keys: memorySubjectKeys(), folder };
}

export function disposeOf(site: Site): void {
  rmSync(site.folder, { recursive: true });
}

export interface LiveLeaderboard {
  readonly leaderboard: Leaderboard;
  readonly log: MemoryEventLog;
  /** For rebuild and verify. */
  readonly operation: Operation;
  close(): Promise<void>;
}

/** One API process on the twin's log with the real SQLite store; with `workers`, it runs the projector too. */
export async function liveLeaderboard(
  site: Site,
  options: { readonly holder: string; readonly workers?: number },
): Promise<LiveLeaderboard> {
  const { folder } = site;
  const { holder, workers } = options;
  const clock = systemClock;
  const projection = leaderboardProjection;
  const stop = new AbortController();
  const { signal } = stop;
  const log = memoryEventLog({ storage: site.storage });
  const keys = memorySubjectKeyStore({ shared: site.keys });
  const cipher = subjectCipher(keys);
  const directory = generationDirectory(log, { signal, clock });
  const store = sqliteProjectionStore({ folder, projection: projection.name, clock });
  const projector =
    workers === undefined
      ? undefined
      : runProjector({
          log,
          cipher,
          projections: [projection],
          storeFor: () => store,
          directory,
          clock,
          holder,
          signal,
          workersOfFirst: () => workers,
        });
  const liveGeneration = () => directory.live(projection.name);
  const live = liveReader({ folder, projection: projection.name, liveGeneration, clock });
  const boards = followBoards({ log, cipher, clock });
  const readModel = sqliteLeaderboardReadModel(readsOf(live));
  const means = { log, cipher, keys, clock, readModel, boards, visibleMsMax: 20_000 };
  const leaderboard = new Leaderboard(means);
  await directory.ready();
  while (live.current().kind !== 'ready') await clock.sleep(10);
  await leaderboard.ensureDefaultBoard();
  const operation = { log, store, projection, cipher, clock, holder: `${holder}-cli`, directory };
  const close = async () => {
    stop.abort();
    await projector?.done;
    await boards.close();
    live.close();
    await store.close();
    await log.close();
  };
  return { leaderboard, log, operation, close };
}
