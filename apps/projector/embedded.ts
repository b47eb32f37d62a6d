import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type SubjectCipher, systemClock } from '@annals/core';
import { type EventLog, EventTypes, eventType } from '@annals/event-log';
import { type SqliteEventLog, sqliteEventLog } from '@annals/event-log-sqlite';
import type { Projection, ProjectionStore, ScratchStore } from '@annals/projection';
import {
  removeAbandonedScratch,
  sqliteProjectionStore,
  sqliteScratchStore,
} from '@annals/store-sqlite';
import {
  enforceErasures,
  erasureCategory,
  loadMasterKey,
  masterKeyFrom,
  type SubjectKeyStore,
  sqliteSubjectKeyStore,
  subjectCipher,
  subjectErased,
} from '@annals/subject-keys';

/** Where everything lies below the data folder of the embedded default. */
export function dataLayout(dataFolder: string) {
  return {
    log: join(dataFolder, 'log'),
    /** Apart from the log: whoever has only one of the two has no personal data. */
    keys: join(dataFolder, 'keys'),
    masterKeyFile: join(dataFolder, 'keys', 'master.key'),
    projections: join(dataFolder, 'projections'),
    /** Rows that are needed once, while something is verified. */
    scratch: join(dataFolder, 'scratch'),
    /** What was purged of erased people's data; see `purge-notes.ts`. */
    purgeNotes: join(dataFolder, 'purged.json'),
  };
}

export interface EmbeddedOptions {
  readonly dataFolder: string;
  /** 64 hex digits (`ANNALS_MASTER_KEY`); without it a key file is made in the data folder. */
  readonly masterKey?: string | undefined;
  /** Refuses a folder that holds no log, instead of making one. */
  readonly mustExist?: boolean;
  readonly clock?: Clock;
}

/** The parts of a platform on one machine: log, keys, and a store for each projection. */
export interface Embedded {
  readonly log: SqliteEventLog;
  readonly keys: SubjectKeyStore;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly projectionsFolder: string;
  storeFor(projection: Projection): ProjectionStore;
  /** A store that is gone again when it is not needed any more, or its process has died. */
  scratchFor(projection: Projection): ScratchStore;
  close(): Promise<void>;
}

/** The data folder holds no log where one was expected. */
export class NoDataFolderError extends Error {
  readonly code = 'no-data-folder';
  constructor(dataFolder: string) {
    super(
      `there is no event log in ${dataFolder}: start the service once, import a log, or say where ` +
        'the data is with --data or ANNALS_DATA',
    );
    this.name = 'NoDataFolderError';
  }
}

/** Opens the embedded platform of one data folder. Any number of processes may have it open. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { dataFolder, clock = systemClock } = options;
  const layout = dataLayout(dataFolder);
  if (options.mustExist && !(await exists(layout.log))) throw new NoDataFolderError(dataFolder);
  for (const folder of [layout.log, layout.keys, layout.projections]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  removeAbandonedScratch(layout.scratch);
  const masterKey = options.masterKey
    ? masterKeyFrom(options.masterKey)
    : loadMasterKey({ file: layout.masterKeyFile });
  const log = await sqliteEventLog({ folder: layout.log, clock });
  const keys = await openKeys(log, layout.keys, masterKey).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const stores = new Map<string, ProjectionStore>();
  return {
    log,
    keys,
    cipher: subjectCipher(keys),
    clock,
    projectionsFolder: layout.projections,
    storeFor: (projection) => {
      const known = stores.get(projection.name);
      if (known) return known;
      const store = sqliteProjectionStore({
        folder: layout.projections,
        projection: projection.name,
        clock,
      });
      stores.set(projection.name, store);
      return store;
    },
    scratchFor: ({ name: projection }) =>
      sqliteScratchStore({ folder: layout.scratch, projection, clock }),
    close: async () => {
      for (const store of stores.values()) await store.close();
      await keys.close();
      await log.close();
    },
  };
}

async function openKeys(
  log: EventLog,
  folder: string,
  masterKey: Uint8Array,
): Promise<SubjectKeyStore> {
  const keys = await sqliteSubjectKeyStore({ folder, masterKey });
  try {
    // Before anything reads personal data: a key that came back with an old backup goes again.
    await enforceErasures(keys, erasedSubjects(log));
    return keys;
  } catch (error) {
    await keys.close();
    throw error;
  }
}

const erasures = new EventTypes([eventType(subjectErased)]);
const noPersonalData: SubjectCipher = {
  keyring: () => Promise.reject(new Error('an erasure holds no personal data')),
};

/** The subjects the log says are erased. */
async function* erasedSubjects(log: EventLog): AsyncIterable<string> {
  let page = await log.read('start', { categories: [erasureCategory] });
  for (;;) {
    for (const event of await erasures.decode(page.events, noPersonalData)) {
      yield event.data.subject;
    }
    if (page.end) return;
    page = await log.read(page.checkpoint, { categories: [erasureCategory] });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
