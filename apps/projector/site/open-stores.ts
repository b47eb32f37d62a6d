import type { Clock } from '@annals/core';
import type { Generation, Projection, ProjectionStore } from '@annals/projection';
import type { CassandraLiveReader } from '@annals/store-cassandra';
import type { RedisLiveReader } from '@annals/store-redis';
import { type LiveReader, liveReader, sqliteProjectionStore } from '@annals/store-sqlite';
import { dataLayout } from './data-layout.ts';
import type { OpenLogOptions } from './open-log.ts';
import type {
  CassandraStorePlace,
  RedisStorePlace,
  SqliteStorePlace,
  StorePlace,
} from './store-url.ts';

export interface LiveOptions {
  /** The generation that is live now; asked each time, so it must be cheap. */
  readonly liveGeneration: () => Pick<Generation, 'generation' | 'id'> | undefined;
  /**
   * After how long a store elsewhere that does not answer is away, in milliseconds: for who serves requests. As long
   * as for a projector unless told.
   */
  readonly answerMsMax?: number;
  /** Ids of generations that are lost although they are there. */
  readonly diverged?: ReadonlySet<string>;
}

/** What reads the live generation, by the kind of its store: each product makes its read model of it. */
export type SiteLive =
  | { readonly kind: 'sqlite'; readonly live: LiveReader }
  | { readonly kind: 'redis'; readonly live: RedisLiveReader }
  | { readonly kind: 'cassandra'; readonly live: CassandraLiveReader };

/** The stores of one place, for any number of projections. Nothing is opened before it is used. */
export interface PlaceStores {
  /** A store of its own with each call: whoever asks closes it. */
  store(projection: Projection): ProjectionStore;
  live(projection: Projection, options: LiveOptions): SiteLive;
  /**
   * Says that the place is this site's, where several could reach it. Throws the store's named error
   * (`another-site`) where it is another one's. `onReport`: what of its URL an operator should change.
   */
  claim(site: string, onReport?: OpenLogOptions['onReport']): Promise<void>;
}

/** The stores at a place. What its engine needs is loaded here, and only what is used. */
export async function storesAt(place: StorePlace, clock: Clock): Promise<PlaceStores> {
  switch (place.kind) {
    case 'sqlite':
      return sqliteStores(place, clock);
    case 'redis':
      return redisStores(place, clock);
    case 'cassandra':
      return cassandraStores(place, clock);
  }
}

function sqliteStores(place: SqliteStorePlace, clock: Clock): PlaceStores {
  const folder = dataLayout(place.folder).projections;
  return {
    store: ({ name: projection }) => sqliteProjectionStore({ folder, projection, clock }),
    live: ({ name: projection }, options) => ({
      kind: 'sqlite',
      live: liveReader({ folder, projection, clock, ...options }),
    }),
    // A folder is this machine's, and a generation in it that another log made is lost to this one.
    claim: async () => undefined,
  };
}

async function redisStores(place: RedisStorePlace, clock: Clock): Promise<PlaceStores> {
  const { claimRedisPrefix, redisLiveReader, redisProjectionStore } = await import(
    '@annals/store-redis'
  );
  const { connection: url, prefix, shards, scheme } = place;
  const where = { url, clock, ...(prefix === undefined ? {} : { prefix }) };
  const layout = {
    ...(shards === undefined ? {} : { shards }),
    ...(scheme === undefined ? {} : { scheme }),
  };
  return {
    store: ({ name: projection }) => redisProjectionStore({ ...where, projection, ...layout }),
    live: ({ name: projection }, options) => ({
      kind: 'redis',
      live: redisLiveReader({ ...where, projection, ...options }),
    }),
    claim: (site, onReport) =>
      claimRedisPrefix({ url, site, onReport, ...(prefix === undefined ? {} : { prefix }) }),
  };
}

async function cassandraStores(place: CassandraStorePlace, clock: Clock): Promise<PlaceStores> {
  const {
    cassandraLiveReader,
    cassandraProjectionStore,
    claimCassandraKeyspace,
    compactByProgram,
  } = await import('@annals/store-cassandra');
  const { connection: cassandra, buckets, orderShards, compact } = place;
  const layout = {
    ...(buckets === undefined ? {} : { buckets }),
    ...(orderShards === undefined ? {} : { orderShards }),
    ...(compact === undefined ? {} : { compact: compactByProgram(compact) }),
  };
  return {
    store: ({ name: projection }) =>
      cassandraProjectionStore({ cassandra, projection, clock, ...layout }),
    live: ({ name: projection }, options) => ({
      kind: 'cassandra',
      live: cassandraLiveReader({ cassandra, projection, clock, ...options }),
    }),
    claim: (site) => claimCassandraKeyspace({ url: cassandra, site }),
  };
}
