import type { Clock } from '@annals/core';
import { coversAll } from '@annals/event-log';
import type { LeaderboardReadModel } from '@annals/leaderboard';
import type { GenerationDirectory, ProjectionStore, RowKey } from '@annals/projection';

const pollMs = 20;

/** What the write path asks of the read model, answered from the store twin's live generation. */
export function twinReadModel(
  store: ProjectionStore,
  directory: GenerationDirectory,
  projection: string,
  clock: Clock,
): Pick<LeaderboardReadModel, 'entries' | 'waitFor'> {
  const openLive = async () => {
    const live = directory.live(projection);
    return live === undefined ? 'lost' : store.open(live.generation);
  };
  return {
    entries: async (places) => {
      const generation = await openLive();
      if (generation === 'lost') return { kind: 'lost' };
      const keys = places.map(
        ({ stream, revision }): RowKey => ({ table: 'entries', key: [stream, revision] }),
      );
      const rows = await generation.load(keys);
      const asOf = await generation.checkpoint();
      const entries = rows.map(
        (row) =>
          row && {
            status: row.status as 'counted' | 'void-closed' | 'void-out-of-range',
            total: row.total as number | null,
          },
      );
      return { kind: 'answer', asOf, entries };
    },
    waitFor: async (checkpoint, timeoutMs) => {
      for (let waited = 0; waited <= timeoutMs; waited += pollMs) {
        const generation = await openLive();
        if (generation === 'lost') return 'lost';
        if (coversAll(await generation.checkpoint(), checkpoint)) return 'reached';
        await clock.sleep(pollMs);
      }
      return 'late';
    },
  };
}
