import type { Clock } from '@annals/core';
import { type LeaderboardReadModel, scanReadModel } from '@annals/leaderboard';
import type { GenerationDirectory, ProjectionStore, RowKey } from '@annals/projection';
import { liveTwin } from '../live-twin.ts';

/**
 * The read model over the store twin's live generation: boards by reading and sorting whole tables, and
 * what the write path asks by its keys.
 */
export function twinReadModel(
  store: ProjectionStore,
  directory: GenerationDirectory,
  projection: string,
  clock: Clock,
): LeaderboardReadModel {
  const live = liveTwin(store, directory, projection, clock);
  return {
    ...boundTo(scanReadModel(live.open, clock)),
    entries: async (places) => {
      const generation = await live.open();
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
    waitFor: live.waitFor,
  };
}

/** Its methods apart from the object: spreading a class would lose them. */
function boundTo(model: LeaderboardReadModel): LeaderboardReadModel {
  return {
    top: (query) => model.top(query),
    standing: (query) => model.standing(query),
    ranks: (query) => model.ranks(query),
    player: (userId) => model.player(userId),
    history: (query) => model.history(query),
    entries: (places) => model.entries(places),
    waitFor: (checkpoint, timeoutMs) => model.waitFor(checkpoint, timeoutMs),
  };
}
