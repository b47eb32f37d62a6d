import { mkdir } from 'node:fs/promises';
import { type Clock, type SubjectCipher, systemClock } from '@annals/core';
import { type EventLog, EventTypes, eventType } from '@annals/event-log';
import type { Projection, ProjectionStore, ScratchStore } from '@annals/projection';
import { removeAbandonedScratch, sqliteScratchStore } from '@annals/store-sqlite';
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
import { type ProductName, productNames, productOf } from '../registry.ts';
import { dataLayout } from './data-layout.ts';
import type { LogPlace } from './log-url.ts';
import { type OpenedLog, type OpenLogOptions, openLogAt } from './open-log.ts';
import { type LiveOptions, type PlaceStores, type SiteLive, storesAt } from './open-stores.ts';
import type { SiteConfig } from './site-config.ts';
import type { KeysPlace, StorePlace } from './store-url.ts';

export interface SiteOptions extends Pick<OpenLogOptions, 'mustExist' | 'onProgress' | 'onReport'> {
  readonly clock?: Clock;
}

/** The parts of a platform as this process has them: logs, keys, and a store for each projection. */
export interface Site {
  readonly config: SiteConfig;
  /** What belongs to no product: API keys. */
  readonly log: EventLog;
  /** The log of a product: `log`, unless the configuration gives it one of its own. */
  logOf(product: ProductName): EventLog;
  /** Each log once, that of `log` first. */
  readonly logs: readonly OpenedLog[];
  readonly keys: SubjectKeyStore;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  /** The same store each time; closed with the site. */
  storeFor(projection: Projection): ProjectionStore;
  /** A store that is gone again when it is not needed any more, or its process has died. */
  scratchFor(projection: Projection): ScratchStore;
  /** What reads the live generation of a projection; whoever asks closes it. */
  liveFor(projection: Projection, options: LiveOptions): SiteLive;
  close(): Promise<void>;
}

/**
 * Opens a site: the same code whatever the engines, which only their URLs choose. Any number of processes
 * may have it open. Throws NoDataFolderError, and the named errors of the adapters.
 */
export async function openSite(config: SiteConfig, options: SiteOptions = {}): Promise<Site> {
  const held = new AsyncDisposableStack();
  try {
    return await open(config, options, held);
  } catch (error) {
    // The failure of the start is what is told.
    await held.disposeAsync().catch(() => undefined);
    throw error;
  }
}

async function open(
  config: SiteConfig,
  options: SiteOptions,
  held: AsyncDisposableStack,
): Promise<Site> {
  const { clock = systemClock } = options;
  const { scratch } = dataLayout(config.dataFolder);
  const logs = await openLogs(config, { ...options, clock }, held);
  removeAbandonedScratch(scratch);
  const keys = await openKeys(config.keys, config.masterKey);
  held.defer(() => keys.close());
  // Before anything reads personal data: a key that came back with an old backup goes again.
  for (const { log } of logs.all) await enforceErasures(keys, erasedSubjects(log));
  const places = await openStores(config, clock);
  const stores = new Map<string, ProjectionStore>();
  held.defer(async () => {
    for (const store of stores.values()) await store.close();
  });
  const placeOf = (projection: Projection) => places.get(productOf(projection)) as PlaceStores;
  let closed: Promise<void> | undefined;
  return {
    ...{ config, keys, clock, log: logs.main.log, logs: logs.all },
    logOf: (product) => (logs.own.get(product) ?? logs.main).log,
    cipher: subjectCipher(keys),
    storeFor: (projection) => {
      const known = stores.get(projection.name);
      if (known) return known;
      const store = placeOf(projection).store(projection);
      stores.set(projection.name, store);
      return store;
    },
    scratchFor: ({ name: projection }) =>
      sqliteScratchStore({ folder: scratch, projection, clock }),
    liveFor: (projection, live) => placeOf(projection).live(projection, live),
    close: () => {
      closed ??= held.disposeAsync();
      return closed;
    },
  };
}

interface Logs {
  readonly main: OpenedLog;
  readonly own: ReadonlyMap<ProductName, OpenedLog>;
  readonly all: readonly OpenedLog[];
}

/** Those with the same URL are one log, which is opened once. */
async function openLogs(
  config: SiteConfig,
  options: SiteOptions,
  held: AsyncDisposableStack,
): Promise<Logs> {
  const opened = new Map<string, OpenedLog>();
  const openOnce = async (place: LogPlace): Promise<OpenedLog> => {
    const known = opened.get(place.url);
    if (known) return known;
    const log = await openLogAt(place, { ...options, dataFolder: config.dataFolder });
    held.defer(() => log.log.close());
    opened.set(place.url, log);
    return log;
  };
  const main = await openOnce(config.log);
  const own = new Map<ProductName, OpenedLog>();
  for (const name of productNames) {
    const place = config.logs[name];
    if (place) own.set(name, await openOnce(place));
  }
  return { main, own, all: [...opened.values()] };
}

async function openStores(
  config: SiteConfig,
  clock: Clock,
): Promise<ReadonlyMap<ProductName, PlaceStores>> {
  const { dataFolder } = config;
  const embedded: StorePlace = { kind: 'sqlite', url: `sqlite:${dataFolder}`, folder: dataFolder };
  const stores = new Map<ProductName, PlaceStores>();
  for (const name of productNames) {
    const place = config.stores[name] ?? embedded;
    if (place.kind === 'sqlite') await makeFolder(dataLayout(place.folder).projections);
    stores.set(name, await storesAt(place, clock));
  }
  return stores;
}

async function openKeys(
  place: KeysPlace,
  configured: string | undefined,
): Promise<SubjectKeyStore> {
  if (place.kind === 'cassandra') {
    if (configured === undefined) throw new RangeError('keys in Cassandra need a master key');
    const { cassandraSubjectKeyStore } = await import('@annals/store-cassandra');
    const { connection: cassandra } = place;
    return cassandraSubjectKeyStore({ cassandra, masterKey: masterKeyFrom(configured) });
  }
  const { keys: folder, masterKeyFile } = dataLayout(place.folder);
  await makeFolder(folder);
  const masterKey = configured ? masterKeyFrom(configured) : loadMasterKey({ file: masterKeyFile });
  return sqliteSubjectKeyStore({ folder, masterKey });
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
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
