import type { LiveGeneration } from '@annals/leaderboard';
import type { LiveReader } from '@annals/store-sqlite';

/** The first generation is being filled: reads can be answered soon, and nothing needs to be repaired. */
export class ReadModelBuildingError extends Error {
  readonly code = 'read-model-building';
  constructor() {
    super('the read model is filled for the first time');
    this.name = 'ReadModelBuildingError';
  }
}

/** The live reader of a store as the leaderboard asks for it. Throws ReadModelBuildingError. */
export function liveGenerationOf(live: LiveReader): LiveGeneration {
  return {
    current: () => {
      const now = live.current();
      if (now.kind === 'building') throw new ReadModelBuildingError();
      return now;
    },
    waitFor: async (checkpoint, timeoutMs, signal) => {
      const options = signal ? { timeoutMs, signal } : { timeoutMs };
      const outcome = await live.waitFor(checkpoint, options);
      return outcome === 'timeout' ? 'late' : outcome;
    },
  };
}
