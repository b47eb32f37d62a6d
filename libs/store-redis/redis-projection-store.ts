import type { Clock } from '@annals/core';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '@annals/projection';
import { connectRedis, type RedisConnection } from './connection.ts';
import { limits } from './limits.ts';
import {
  createGeneration,
  dropGeneration,
  readMarker,
  refuseEviction,
  type Scheme,
} from './marker.ts';
import { checkedPrefix, checkedProjection, defaultPrefix, generationName } from './names.ts';
import { RedisGeneration } from './redis-generation.ts';
import { TableLayout } from './table-layout.ts';

export interface RedisProjectionStoreOptions {
  /** `redis://[user:password@]host:port[/db]`, or `redis://host:port,…?cluster=true`; `rediss` for TLS. */
  readonly url: string;
  readonly projection: string;
  readonly clock: Clock;
  /** What all our keys begin with; `annals` unless told. Nobody else may have keys there. */
  readonly prefix?: string;
  /** Into how many slots a new generation is dealt; 1 unless told. A generation keeps what it was made with. */
  readonly shards?: number;
  /**
   * How the orders of a new generation are dealt to its shards: `hash` with their rows, `range` by score.
   * `hash` unless told. A generation keeps what it was made with.
   */
  readonly scheme?: Scheme;
  /** From how many rows on a group is cut into ranges; 2,000 unless told. */
  readonly rangeRowsMin?: number;
}

/**
 * A projection's generations in Redis, standalone or Redis Cluster. Connects with the first call.
 * Throws RedisStoreError on broken I/O, and for a server that may evict our keys.
 */
export function redisProjectionStore(options: RedisProjectionStoreOptions): ProjectionStore {
  return new RedisProjectionStore(options);
}

class RedisProjectionStore implements ProjectionStore {
  readonly #connection: RedisConnection;
  readonly #projection: string;
  readonly #prefix: string;
  readonly #layout: { readonly shards: number; readonly scheme: Scheme };
  readonly #rangeRowsMin: number;
  readonly #clock: Clock;
  #checked: Promise<void> | undefined;

  constructor(options: RedisProjectionStoreOptions) {
    const { url, projection, clock, prefix, shards = 1, scheme = 'hash' } = options;
    if (!Number.isInteger(shards) || shards < 1 || shards > limits.shardsMax) {
      throw new RangeError(`1 to ${limits.shardsMax} shards, not ${shards}`);
    }
    this.#projection = checkedProjection(projection);
    this.#prefix = checkedPrefix(prefix ?? defaultPrefix);
    this.#layout = { shards, scheme };
    this.#rangeRowsMin = options.rangeRowsMin ?? limits.rangeRowsMin;
    this.#clock = clock;
    this.#connection = connectRedis(url);
  }

  async create(spec: GenerationSpec): Promise<'created' | 'exists'> {
    // What Redis cannot keep is a bug of the projection, and told before anything is written.
    for (const [number, table] of spec.tables.entries()) new TableLayout(table, number);
    await this.#check();
    return createGeneration(this.#connection, this.#prefix, spec, this.#layout);
  }

  async open(generation: number): Promise<GenerationStore | 'lost'> {
    generationName(this.#projection, generation);
    await this.#check();
    const marker = await readMarker(this.#connection, this.#prefix, this.#projection, generation);
    if (!marker) return 'lost';
    const opened = new RedisGeneration({
      connection: this.#connection,
      prefix: this.#prefix,
      marker,
      clock: this.#clock,
      rangeRowsMin: this.#rangeRowsMin,
    });
    return (await opened.present()) ? opened : 'lost';
  }

  async drop(generation: number): Promise<void> {
    generationName(this.#projection, generation);
    await dropGeneration(this.#connection, this.#prefix, this.#projection, generation);
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** Asked once for each store that works; an answer that did not come is asked for again. */
  async #check(): Promise<void> {
    this.#checked ??= refuseEviction(this.#connection);
    try {
      await this.#checked;
    } catch (error) {
      this.#checked = undefined;
      throw error;
    }
  }
}
