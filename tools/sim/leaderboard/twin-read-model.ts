import type { Clock } from '@annals/core';
import { coversAll } from '@annals/event-log';
import { type LeaderboardReadModel, scanReadModel } from '@annals/leaderboard';
import {
  type GenerationDirectory,
  openGeneration,
  type ProjectionStore,
  type RowKey,
} from '@annals/projection';

const pollMs = 20;

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
  const openLive = async () => {
    const live = directory.live(projection);
    if (live === undefined) return 'lost';
    const found = await openGeneration(store, projection, live);
    return found.kind === 'open' ? found.opened : 'lost';
  };
  return {
    ...boundTo(scanReadModel(openLive, clock)),
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
