import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import { type GenerationSpec, PolledLine, StoreLostError } from '@annals/projection';
import { type CassandraConnection, connectCassandra } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import { readableMarker } from './marker.ts';
import { checkedProjection } from './names.ts';
import { type CassandraReader, GenerationReader } from './reader.ts';
import { migrate, projectionSchema } from './schema.ts';
import { WorkerRows } from './worker-rows.ts';

/** What can be read now. */
export type CassandraLive =
  | { readonly kind: 'ready'; readonly reader: CassandraReader; readonly generation: number }
  /** The live generation is gone, or is another one, or of another log: an operator must rebuild. */
  | { readonly kind: 'lost'; readonly generation: number }
  /** No generation is live yet, or the live one is filled for the first time. */
  | { readonly kind: 'building' };

export interface CassandraLiveReader {
  /** Turns as a whole when another generation becomes live. Asks Cassandra only when something changed, or could not be read. */
  current(): Promise<CassandraLive>;
  /** Waits until what can be read covers `checkpoint`. An aborted wait is a `timeout`. */
  waitFor(
    checkpoint: Checkpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'>;
  /** Whoever waits is told `timeout`. Idempotent. */
  close(): Promise<void>;
}

export interface CassandraLiveReaderOptions {
  /** As for the store: a url, or a connection that others share, which stays open. */
  readonly cassandra: string | CassandraConnection;
  readonly projection: string;
  /** The generation that is live now, from the projection's own events; asked each time, so it must be cheap. */
  readonly liveGeneration: () => Pick<GenerationSpec, 'generation' | 'id'> | undefined;
  readonly clock: Clock;
  /** After how long a Cassandra that does not answer is away (`unreachable`), in milliseconds; minutes unless told. */
  readonly answerMsMax?: number;
  /** Ids of generations that must not be read although their tables are there: they are lost. None unless told. */
  readonly diverged?: ReadonlySet<string>;
}

/** A read model for a process that serves requests: follows the live generation, and knows when it is lost. */
export function cassandraLiveReader(options: CassandraLiveReaderOptions): CassandraLiveReader {
  return new LiveReader(options);
}

interface Opened {
  readonly live: CassandraLive;
  readonly at: number;
}

class LiveReader implements CassandraLiveReader {
  readonly #options: CassandraLiveReaderOptions;
  readonly #line: PolledLine;
  #connecting: Promise<CassandraConnection> | undefined;
  #liveId: string | undefined;
  #opened: Opened | undefined;
  #opening: Promise<Opened> | undefined;
  #closed = false;

  constructor(options: CassandraLiveReaderOptions) {
    this.#options = options;
    checkedProjection(options.projection);
    const { waitersMax, waitingPollMsMin: pollMsMin, waitingPollMsMax: pollMsMax } = limits;
    this.#line = new PolledLine({
      ...{ clock: options.clock, waitersMax, pollMsMin, pollMsMax, quietLooksInStep: 20 },
      look: () => this.#look(),
    });
  }

  async current(): Promise<CassandraLive> {
    if (this.#closed) throw storeError('closed', this.#options.projection);
    const generation = this.#options.liveGeneration();
    if (generation?.id !== this.#liveId) {
      this.#liveId = generation?.id;
      this.#opened = undefined;
      this.#opening = undefined;
    }
    if (generation === undefined) return { kind: 'building' };
    const now = this.#options.clock.now();
    const held = this.#opened;
    // A reader notices by itself that its generation is gone; the rest may change at any time.
    if (held && (held.live.kind === 'ready' || isFresh(held, now))) {
      if (!this.#options.diverged?.has(generation.id)) return held.live;
    }
    this.#opening ??= this.#begin(generation, now);
    return (await this.#inTime(this.#opening)).live;
  }

  /** Opens for all who ask meanwhile, and also where they do not wait for it to the end. */
  #begin(live: Pick<GenerationSpec, 'generation' | 'id'>, now: number): Promise<Opened> {
    const opening = this.#open(live, now);
    const ended = (opened?: Opened) => {
      if (this.#opening !== opening) return;
      this.#opening = undefined;
      if (opened) this.#opened = opened;
    };
    opening.then(ended, () => ended());
    return opening;
  }

  /** A connection that hangs as it is made takes longer than a statement may. */
  async #inTime(opening: Promise<Opened>): Promise<Opened> {
    const { answerMsMax, clock } = this.#options;
    if (answerMsMax === undefined) return opening;
    const stop = new AbortController();
    const late = clock.sleep(answerMsMax, stop.signal).then(() => undefined);
    try {
      const opened = await Promise.race([opening, late]);
      if (opened) return opened;
      throw storeError('unreachable', `not opened within ${answerMsMax} ms`);
    } finally {
      stop.abort();
    }
  }

  async #open(
    { generation, id }: Pick<GenerationSpec, 'generation' | 'id'>,
    at: number,
  ): Promise<Opened> {
    const lost: Opened = { live: { kind: 'lost', generation }, at };
    if (this.#options.diverged?.has(id)) return lost;
    const connection = await this.#connection();
    const marker = await readableMarker(connection, this.#options.projection, generation);
    if (marker?.spec.id !== id) return lost;
    try {
      if (await new WorkerRows(connection, marker).areBuilding()) {
        return { live: { kind: 'building' }, at };
      }
    } catch (error) {
      if (error instanceof StoreLostError) return lost;
      throw error;
    }
    const reader = this.#watched(new GenerationReader(connection, marker));
    return { live: { kind: 'ready', reader, generation }, at };
  }

  /** Connected, and with the schema there. What failed is tried again with the next call. */
  async #connection(): Promise<CassandraConnection> {
    this.#connecting ??= this.#connect();
    try {
      return await this.#connecting;
    } catch (error) {
      this.#connecting = undefined;
      throw error;
    }
  }

  async #connect(): Promise<CassandraConnection> {
    const { cassandra, answerMsMax } = this.#options;
    const connection =
      typeof cassandra === 'string'
        ? await connectCassandra(cassandra, answerMsMax === undefined ? {} : { answerMsMax })
        : cassandra;
    try {
      await migrate(connection, projectionSchema);
      return connection;
    } catch (error) {
      if (typeof cassandra === 'string') await connection.close().catch(() => undefined);
      throw error;
    }
  }

  /** A reader that finds its generation gone makes everybody look again. */
  #watched(reader: CassandraReader): CassandraReader {
    const watch = async <T>(run: () => Promise<T>): Promise<T> => {
      try {
        return await run();
      } catch (error) {
        if (error instanceof StoreLostError) this.#opened = undefined;
        throw error;
      }
    };
    return {
      spec: reader.spec,
      read: (...args) => watch(() => reader.read(...args)),
      checkpoint: () => watch(() => reader.checkpoint()),
      rows: (table, keys) => watch(() => reader.rows(table, keys)),
      countAbove: (...args) => watch(() => reader.countAbove(...args)),
      top: (...args) => watch(() => reader.top(...args)),
    };
  }

  waitFor(
    checkpoint: Checkpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'> {
    return this.#line.waitFor(checkpoint, options);
  }

  /** What can be read now covers this; undefined when nothing can be read yet. */
  async #look(): Promise<Checkpoint | 'lost' | undefined> {
    const live = await this.current();
    if (live.kind === 'lost') return 'lost';
    if (live.kind === 'building') return undefined;
    try {
      return await live.reader.checkpoint();
    } catch (error) {
      if (error instanceof StoreLostError) return 'lost';
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#line.close();
    if (typeof this.#options.cassandra !== 'string') return;
    const connection = await this.#connecting?.catch(() => undefined);
    await connection?.close();
  }
}

function isFresh({ at }: Opened, now: number): boolean {
  return now >= at && now - at < limits.presenceMsMax;
}
