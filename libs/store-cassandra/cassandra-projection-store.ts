import type { Clock } from '@annals/core';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '@annals/projection';
import { CassandraGeneration, type CompactTables } from './cassandra-generation.ts';
import { type CassandraConnection, connectCassandra } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import { createGeneration, dropGeneration, readableMarker } from './marker.ts';
import { checkedGeneration, checkedProjection } from './names.ts';
import { migrate, projectionSchema } from './schema.ts';

export interface CassandraProjectionStoreOptions {
  /**
   * `cassandra://[user:password@]host:port,…/keyspace?datacenter=…` (`cassandras` for TLS), connected to with
   * the first call; or a connection that several stores share, which they leave open.
   */
  readonly cassandra: string | CassandraConnection;
  readonly projection: string;
  readonly clock: Clock;
  /** Partitions of each table of a new generation; 256 unless told. About a million rows fit one. */
  readonly buckets?: number;
  /** Partitions of each group of a sorted order of a new generation; 8 unless told. */
  readonly orderShards?: number;
  /** What `purge` calls, the last step of erasing a person; without it `purge` says `blocked`. */
  readonly compact?: CompactTables;
}

/**
 * A projection's generations in a Cassandra keyspace: tables of their own for each, and a few that all
 * share. The schema is made and brought up to date with the first call. Throws CassandraStoreError on broken I/O.
 */
export function cassandraProjectionStore(
  options: CassandraProjectionStoreOptions,
): ProjectionStore {
  return new CassandraProjectionStore(options);
}

class CassandraProjectionStore implements ProjectionStore {
  readonly #options: CassandraProjectionStoreOptions;
  readonly #layout: { readonly buckets: number; readonly orderShards: number };
  readonly #open = new Set<CassandraGeneration>();
  #ready: Promise<CassandraConnection> | undefined;
  #closed = false;

  constructor(options: CassandraProjectionStoreOptions) {
    const { buckets = limits.buckets, orderShards = limits.orderShards } = options;
    this.#options = options;
    this.#layout = {
      buckets: checkedCount(buckets, limits.bucketsMax, 'buckets'),
      orderShards: checkedCount(orderShards, limits.orderShardsMax, 'shards'),
    };
    checkedProjection(options.projection);
  }

  async create(spec: GenerationSpec): Promise<'created' | 'exists'> {
    return createGeneration(await this.#connection(), this.#options.projection, spec, this.#layout);
  }

  async open(generation: number): Promise<GenerationStore | 'lost'> {
    checkedGeneration(generation);
    const connection = await this.#connection();
    const marker = await readableMarker(connection, this.#options.projection, generation);
    if (!marker) return 'lost';
    const { clock, compact } = this.#options;
    const opened = new CassandraGeneration({ connection, marker, clock, compact });
    this.#open.add(opened);
    return opened;
  }

  async drop(generation: number): Promise<void> {
    checkedGeneration(generation);
    await dropGeneration(await this.#connection(), this.#options.projection, generation);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const generation of this.#open) await generation.close();
    this.#open.clear();
    if (typeof this.#options.cassandra !== 'string') return;
    const connection = await this.#ready?.catch(() => undefined);
    await connection?.close();
  }

  /** Connected, and with the schema there. What failed is tried again with the next call. */
  async #connection(): Promise<CassandraConnection> {
    if (this.#closed) throw storeError('closed', this.#options.projection);
    this.#ready ??= this.#connect();
    try {
      return await this.#ready;
    } catch (error) {
      this.#ready = undefined;
      throw error;
    }
  }

  async #connect(): Promise<CassandraConnection> {
    const { cassandra } = this.#options;
    if (typeof cassandra !== 'string') {
      await migrate(cassandra, projectionSchema);
      return cassandra;
    }
    const connection = await connectCassandra(cassandra);
    try {
      await migrate(connection, projectionSchema);
      return connection;
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
  }
}

function checkedCount(count: number, max: number, what: string): number {
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new RangeError(`1 to ${max} ${what}, not ${count}`);
}
