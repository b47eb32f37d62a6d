import { generationDirectory, type Projector, runProjector } from '@annals/projection';
import { removeAbandonedScratch } from '@annals/store-sqlite';
import { type EmbeddedOptions, openEmbedded } from './embedded.ts';
import { purgeErased } from './purge-erased.ts';
import { PurgeNotes } from './purge-notes.ts';
import { projections } from './registry.ts';
import { dataLayout } from './site/data-layout.ts';

export interface EmbeddedProjectorOptions extends EmbeddedOptions {
  /** Names this process in leases. */
  readonly holder: string;
  readonly signal: AbortSignal;
  readonly onTrouble: (projection: string, detail: string) => void;
}

/** Follows every projection of the platform in one data folder; closes all when the signal is aborted. */
export async function runEmbeddedProjector(
  options: EmbeddedProjectorOptions,
): Promise<Pick<Projector, 'status' | 'done'>> {
  const embedded = await openEmbedded(options);
  const { log, cipher, clock, storeFor } = embedded;
  const { signal, holder, onTrouble } = options;
  const directory = generationDirectory(log, {
    signal,
    clock,
    onError: (error) => onTrouble('', messageOf(error)),
  });
  const projector = runProjector({
    log,
    cipher,
    projections,
    storeFor,
    directory,
    clock,
    holder,
    signal,
    observe: (observation) => {
      if (observation.kind !== 'trouble') return;
      const { projection, detail } = observation.status;
      onTrouble(projection, detail ?? messageOf(observation.error));
    },
  });
  const layout = dataLayout(options.dataFolder);
  const notes = new PurgeNotes(layout.purgeNotes);
  const purging = purgeErased({
    ...{ log, cipher, clock, projections, storeFor, directory, notes, signal, onTrouble },
    holder: `${holder}/purge`,
    removeAbandoned: () => removeAbandonedScratch(layout.scratch),
  });
  return {
    status: () => projector.status(),
    done: Promise.all([projector.done, purging])
      .then(() => undefined)
      .finally(() => embedded.close()),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
