import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import { type GenerationSpec, PolledLine, StoreLostError } from '@annals/projection';
import { connectRedis, type RedisConnection } from './connection.ts';
import { storeError } from './errors.ts';
import { limits } from './limits.ts';
import { readMarker, refuseEviction } from './marker.ts';
import { checkedPrefix, checkedProjection, defaultPrefix, markerKey } from './names.ts';
import { type RedisReader, redisReader } from './reader.ts';
import { lowestOf, Shards } from './shards.ts';

/** What can be read now. */
export type RedisLive =
  | { readonly kind: 'ready'; readonly reader: RedisReader; readonly generation: number }
  /** The live generation is gone, or is another one, or of another log: an operator must rebuild. */
  | { readonly kind: 'lost'; readonly generation: number }
  /** No generation is live yet, or the live one is filled for the first time. */
  | { readonly kind: 'building' };

export interface RedisLiveReader {
  /** Turns as a whole when another generation becomes live. Asks Redis only when something changed. */
  current(): Promise<RedisLive>;
  /** Waits until what can be read covers `checkpoint`. An aborted wait is a `timeout`. */
  waitFor(
    checkpoint: Checkpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'>;
  /** Whoever waits is told `timeout`. Idempotent. */
  close(): void;
}

export interface RedisLiveReaderOptions {
  readonly url: string;
  readonly projection: string;
  readonly prefix?: string;
  /** The generation that is live now, from the projection's own events; asked each time, so it must be cheap. */
  readonly liveGeneration: () => Pick<GenerationSpec, 'generation' | 'id'> | undefined;
  readonly clock: Clock;
  /** After how long a Redis that does not answer is away (`unreachable`), in milliseconds; as long as for a store unless told. */
  readonly answerMsMax?: number;
  /** Ids of generations that must not be read although their keys are there: they are lost. None unless told. */
  readonly diverged?: ReadonlySet<string>;
}

/** A read model for a process that serves requests: follows the live generation, and knows when it is lost. */
export function redisLiveReader(options: RedisLiveReaderOptions): RedisLiveReader {
  return new LiveReader(options);
}

interface Opened {
  readonly live: RedisLive;
  readonly shards: Shards | undefined;
  readonly at: number;
}

class LiveReader implements RedisLiveReader {
  readonly #options: RedisLiveReaderOptions;
  readonly #prefix: string;
  readonly #connection: RedisConnection;
  readonly #line: PolledLine;
  #liveId: string | undefined;
  #opened: Opened | undefined;
  #opening: Promise<Opened> | undefined;
  #checked = false;
  #closed = false;

  constructor(options: RedisLiveReaderOptions) {
    this.#options = options;
    checkedProjection(options.projection);
    const { waitersMax, waitingPollMsMin: pollMsMin, waitingPollMsMax: pollMsMax } = limits;
    this.#line = new PolledLine({
      ...{ clock: options.clock, waitersMax, pollMsMin, pollMsMax, quietLooksInStep: 50 },
      look: () => this.#look(),
    });
    this.#prefix = checkedPrefix(options.prefix ?? defaultPrefix);
    const { answerMsMax } = options;
    this.#connection = connectRedis(
      options.url,
      answerMsMax === undefined ? {} : { commandMsMax: answerMsMax },
    );
  }

  async current(): Promise<RedisLive> {
    return (await this.#current()).live;
  }

  async #current(): Promise<Opened> {
    if (this.#closed) throw storeError('closed', this.#connection.place);
    const generation = this.#options.liveGeneration();
    if (generation?.id !== this.#liveId) {
      this.#liveId = generation?.id;
      this.#opened = undefined;
      this.#opening = undefined;
    }
    const now = this.#options.clock.now();
    if (generation === undefined) return { live: { kind: 'building' }, shards: undefined, at: now };
    const held = this.#opened;
    if (held && isFresh(held, now)) return held;
    this.#opening ??= this.#open(generation, now, held);
    const opening = this.#opening;
    try {
      const opened = await opening;
      if (this.#opening === opening) this.#opened = opened;
      return opened;
    } finally {
      if (this.#opening === opening) this.#opening = undefined;
    }
  }

  async #open(
    { generation, id }: Pick<GenerationSpec, 'generation' | 'id'>,
    at: number,
    held: Opened | undefined,
  ): Promise<Opened> {
    const marked = markerKey(this.#prefix, this.#options.projection, generation);
    if (held?.shards && !this.#options.diverged?.has(id) && (await held.shards.present(marked))) {
      return { ...held, at };
    }
    if (!this.#checked) await refuseEviction(this.#connection);
    this.#checked = true;
    const lost: Opened = { live: { kind: 'lost', generation }, shards: undefined, at };
    const { projection } = this.#options;
    const marker = await readMarker(this.#connection, this.#prefix, projection, generation);
    if (!marker || marker.spec.id !== id || this.#options.diverged?.has(id)) return lost;
    const shards = new Shards(this.#connection, marker);
    try {
      const states = await shards.states(['building']);
      if (states.some(([building]) => building !== '0')) {
        return { live: { kind: 'building' }, shards: undefined, at };
      }
    } catch (error) {
      if (error instanceof StoreLostError) return lost;
      throw error;
    }
    const reader = this.#watched(redisReader(shards), shards);
    return { live: { kind: 'ready', reader, generation }, shards, at };
  }

  /** A reader that finds its generation gone makes everybody look again. */
  #watched(reader: RedisReader, shards: Shards): RedisReader {
    const watch = async <T>(run: () => Promise<T>): Promise<T> => {
      try {
        return await run();
      } catch (error) {
        if (error instanceof StoreLostError) this.#forget(shards);
        throw error;
      }
    };
    return {
      spec: reader.spec,
      read: (run) => watch(() => reader.read(run)),
      checkpoint: () => watch(() => reader.checkpoint()),
    };
  }

  #forget(shards: Shards): void {
    if (this.#opened?.shards === shards) this.#opened = undefined;
  }

  waitFor(
    checkpoint: Checkpoint,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'> {
    return this.#line.waitFor(checkpoint, options);
  }

  /** What can be read now covers this; undefined when nothing can be read yet. */
  async #look(): Promise<Checkpoint | 'lost' | undefined> {
    const { live, shards } = await this.#current();
    if (live.kind === 'lost') return 'lost';
    if (!shards) return undefined;
    try {
      return lowestOf(shards.spec, await shards.stamps());
    } catch (error) {
      if (!(error instanceof StoreLostError)) throw error;
      this.#forget(shards);
      return 'lost';
    }
  }

  close(): void {
    this.#closed = true;
    this.#line.close();
    this.#connection.close();
  }
}

function isFresh({ at }: Opened, now: number): boolean {
  return now >= at && now - at < limits.presenceMsMax;
}
