import { join } from 'node:path';

/** Where everything lies below a data folder. */
export function dataLayout(dataFolder: string) {
  return {
    log: join(dataFolder, 'log'),
    /** Apart from the log: whoever has only one of the two has no personal data. */
    keys: join(dataFolder, 'keys'),
    masterKeyFile: join(dataFolder, 'keys', 'master.key'),
    projections: join(dataFolder, 'projections'),
    /** What this machine keeps of logs that are elsewhere; made again when it is lost. */
    replicas: join(dataFolder, 'replicas'),
    /** Rows that are needed once, while something is verified. */
    scratch: join(dataFolder, 'scratch'),
    /** What was purged of erased people's data; see `purge-notes.ts`. */
    purgeNotes: join(dataFolder, 'purged.json'),
  };
}
