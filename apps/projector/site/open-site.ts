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
import {
  isArchive,
  type ProductName,
  productNames,
  productOf,
  projectionsOf,
} from '../registry.ts';
import { dataLayout } from './data-layout.ts';
import type { LogPlace } from './log-url.ts';
import { type OpenedLog, type OpenLogOptions, openLogAt } from './open-log.ts';
import { type LiveOptions, type PlaceStores, type SiteLive, storesAt } from './open-stores.ts';
import type { SiteConfig } from './site-config.ts';
import { nameOfSite } from './site-name.ts';
import type { KeysPlace, StorePlace } from './store-url.ts';

export interface SiteOptions
  extends Pick<OpenLogOptions, 'mustExist' | 'onProgress' | 'onFailed' | 'onReport'> {
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
  const keys = await openKeysAt(config.keys, config.masterKey);
  held.defer(() => keys.close());
  // Before anything reads personal data: a key that came back with an old backup goes again.
  for (const { log } of logs.all) await enforceErasures(keys, erasedSubjects(log));
  const places = await placesOfStores(config, clock, { make: true });
  const stores = new Stores(places);
  held.defer(() => stores.close());
  await reachStores(config, stores);
  await claimPlaces(config, places, logs.main.log, { ...options, clock });
  let closed: Promise<void> | undefined;
  return {
    ...{ config, keys, clock, log: logs.main.log, logs: logs.all },
    logOf: (product) => (logs.own.get(product) ?? logs.main).log,
    cipher: subjectCipher(keys),
    storeFor: (projection) => stores.of(projection),
    scratchFor: ({ name: projection }) =>
      sqliteScratchStore({ folder: scratch, projection, clock }),
    liveFor: (projection, live) => stores.placeOf(projection).live(projection, live),
    close: () => {
      closed ??= held.disposeAsync();
      return closed;
    },
  };
}

/** Logs and stores for looking only: no key is needed, and nothing is made that is not there. */
export interface ReadModels {
  readonly main: OpenedLog;
  logOf(projection: Projection): EventLog;
  /** The same store each time; closed with the rest. */
  storeOf(projection: Projection): ProjectionStore;
  close(): Promise<void>;
}

export async function openReadModels(
  config: SiteConfig,
  options: SiteOptions = {},
): Promise<ReadModels> {
  const { clock = systemClock } = options;
  const held = new AsyncDisposableStack();
  try {
    const logs = await openLogs(config, { ...options, clock, readOnly: true }, held);
    const stores = new Stores(await placesOfStores(config, clock, { make: false }));
    held.defer(() => stores.close());
    return {
      main: logs.main,
      logOf: (projection) => (logs.own.get(productOf(projection)) ?? logs.main).log,
      storeOf: (projection) => stores.of(projection),
      close: () => held.disposeAsync(),
    };
  } catch (error) {
    await held.disposeAsync().catch(() => undefined);
    throw error;
  }
}

interface Places {
  readonly stores: ReadonlyMap<ProductName, PlaceStores>;
  readonly archives: ReadonlyMap<ProductName, PlaceStores>;
}

/** One store for each projection, made when it is asked for. */
class Stores {
  readonly #places: Places;
  readonly #stores = new Map<string, ProjectionStore>();

  constructor(places: Places) {
    this.#places = places;
  }

  placeOf(projection: Projection): PlaceStores {
    const product = productOf(projection);
    const place = this.#places[isArchive(projection) ? 'archives' : 'stores'].get(product);
    if (place) return place;
    throw new RangeError(`this site has no archive of the ${product}`);
  }

  of(projection: Projection): ProjectionStore {
    const known = this.#stores.get(projection.name);
    if (known) return known;
    const store = this.placeOf(projection).store(projection);
    this.#stores.set(projection.name, store);
    return store;
  }

  async close(): Promise<void> {
    for (const store of this.#stores.values()) await store.close();
  }
}

interface Logs {
  readonly main: OpenedLog;
  readonly own: ReadonlyMap<ProductName, OpenedLog>;
  readonly all: readonly OpenedLog[];
}

/** Those with the same URL are one log, which is opened once. */
async function openLogs(
  config: SiteConfig,
  options: Omit<OpenLogOptions, 'dataFolder'>,
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

async function placesOfStores(
  config: SiteConfig,
  clock: Clock,
  { make }: { readonly make: boolean },
): Promise<Places> {
  const { dataFolder } = config;
  const embedded: StorePlace = { kind: 'sqlite', url: `sqlite:${dataFolder}`, folder: dataFolder };
  const stores = new Map<ProductName, PlaceStores>();
  const archives = new Map<ProductName, PlaceStores>();
  const open = async (place: StorePlace) => {
    if (make && place.kind === 'sqlite') await makeFolder(dataLayout(place.folder).projections);
    return storesAt(place, clock);
  };
  for (const name of productNames) {
    stores.set(name, await open(config.stores[name] ?? embedded));
    const archive = config.archives[name];
    if (archive) archives.set(name, await open(archive));
  }
  return { stores, archives };
}

/**
 * What is elsewhere is asked once, so that a wrong URL or password ends the start and not the first request.
 * Throws the named error of its adapter.
 */
async function reachStores(config: SiteConfig, stores: Stores): Promise<void> {
  for (const projection of projectionsOf(config)) {
    const places = isArchive(projection) ? config.archives : config.stores;
    const place = places[productOf(projection)];
    if (!place || place.kind === 'sqlite') continue;
    const opened = await stores.of(projection).open(1);
    if (opened !== 'lost') await opened.close();
  }
}

/** Says that the stores that are elsewhere are this site's: what they hold of another one is not to be touched. */
async function claimPlaces(
  { stores, archives }: SiteConfig,
  places: Places,
  log: EventLog,
  { clock, onReport }: Pick<SiteOptions, 'onReport'> & { readonly clock: Clock },
): Promise<void> {
  let site: string | undefined;
  for (const name of productNames) {
    for (const [place, opened] of [
      [stores[name], places.stores.get(name)],
      [archives[name], places.archives.get(name)],
    ] as const) {
      if (!place || !opened || place.kind === 'sqlite') continue;
      site ??= await nameOfSite(log, clock.now());
      await opened.claim(site, onReport);
    }
  }
}

/** Opens the keys of personal data, and makes their store when it is not there. */
export async function openKeysAt(
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
