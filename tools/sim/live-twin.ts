import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import {
  type Generation,
  type GenerationStore,
  openGeneration,
  type ProjectionStore,
} from '@annals/projection';

const pollMs = 20;

/** Says which generation of a projection is live, as a directory does. */
export interface LiveGenerations {
  live(projection: string): Pick<Generation, 'generation' | 'id'> | undefined;
}

/** The live generation of a projection in the store twin, opened anew for each answer. */
export function liveTwin(
  store: ProjectionStore,
  directory: LiveGenerations,
  projection: string,
  clock: Clock,
) {
  const open = async (): Promise<GenerationStore | 'lost'> => {
    const live = directory.live(projection);
    if (live === undefined) return 'lost';
    const found = await openGeneration(store, projection, live);
    return found.kind === 'open' ? found.opened : 'lost';
  };
  const waitFor = async (
    checkpoint: Checkpoint,
    timeoutMs: number,
  ): Promise<'reached' | 'late' | 'lost'> => {
    for (let waited = 0; waited <= timeoutMs; waited += pollMs) {
      const generation = await open();
      if (generation === 'lost') return 'lost';
      if (coversAll(await generation.checkpoint(), checkpoint)) return 'reached';
      await clock.sleep(pollMs);
    }
    return 'late';
  };
  return { open, waitFor };
}
