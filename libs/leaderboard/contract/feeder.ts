import { setImmediate as turnOver } from 'node:timers/promises';
import { idFromKey, type SubjectCipher } from '@annals/core';
import { type Checkpoint, type MemoryEventLog, memoryEventLog } from '@annals/event-log';
import type {
  Cell,
  GenerationSpec,
  GenerationStore,
  ProjectionStore,
  Row,
  RowChange,
  RowKey,
  Rows,
} from '@annals/projection';
import {
  erasureEvent,
  erasureStream,
  memorySubjectKeyStore,
  type SubjectKeyStore,
  subjectCipher,
} from '@annals/subject-keys';
import { leaderboardEvents, type ScoreData } from '../events.ts';
import { leaderboardProjection } from '../projections/leaderboard.ts';
import { NaiveLeaderboard } from '../read-model/naive.ts';
import { bucketOf, categories, playerStream, playerSubject, scoresStream } from '../streams.ts';

/** Buckets of the boards in the suite: few, so that players share them. */
export const sampleBuckets = 4;

type Encodable = Parameters<typeof leaderboardEvents.encode>[0][number];

/** 2026-11-24T12:00:00Z. */
const start = 1_795_521_600_000;

const { name: projection, version, tables, split } = leaderboardProjection;

/** The generation that a feeder makes. */
export const historySpec: GenerationSpec = {
  id: idFromKey('generation', 'history'),
  generation: 1,
  workers: 1,
  ...{ projection, version, tables, split },
};

/**
 * Brings a history into a store through the log twin, the codec and the projection's own handlers,
 * and into the naive read model beside it. A fold of twenty lines stands for the runtime.
 */
export class HistoryFeeder {
  readonly naive = new NaiveLeaderboard();
  readonly log: MemoryEventLog;
  readonly #keys: SubjectKeyStore = memorySubjectKeyStore();
  readonly #cipher: SubjectCipher = subjectCipher(this.#keys);
  readonly #generation: GenerationStore;
  #now = start;
  #epoch = 0;
  #checkpoint: Checkpoint = {};
  #batches = 0;
  #names = 0;

  private constructor(generation: GenerationStore) {
    this.#generation = generation;
    this.log = memoryEventLog({ clock: { now: () => this.#now } });
  }

  static async begin(store: ProjectionStore): Promise<HistoryFeeder> {
    await store.create(historySpec);
    const generation = await store.open(1);
    if (generation === 'lost') throw new Error('the store lost what it just made');
    const feeder = new HistoryFeeder(generation);
    const lease = await generation.acquire(0, 'feeder', start, 3_600_000);
    if (lease.kind !== 'acquired') throw new Error('somebody else works on a new store');
    feeder.#epoch = lease.epoch;
    await generation.finishBuilding?.();
    return feeder;
  }

  /** Events recorded from now on are this much later; 0 and more. */
  passTime(ms: number): void {
    this.#now += ms;
  }

  async score(
    score: Omit<ScoreData, 'match_id'> & { readonly match_id: string | number },
  ): Promise<{ readonly stream: string; readonly revision: number }> {
    const data: ScoreData = { ...score, match_id: String(score.match_id) };
    const stream = scoresStream(data.board, bucketOf(data.user_id, sampleBuckets));
    const id = idFromKey('score', data.board, data.match_id, data.user_id);
    const revision = await this.#append(stream, {
      type: 'score-recorded',
      id,
      data,
      occurredAt: start,
    });
    return { stream, revision };
  }

  async closeBucket(board: string, period: string, bucket: number): Promise<void> {
    const id = idFromKey('period-closed', board, period, String(bucket));
    const data = { board, period };
    await this.#append(scoresStream(board, bucket), {
      type: 'period-closed',
      id,
      data,
      occurredAt: start,
    });
  }

  /** False when the player is erased. */
  async name(userId: string, name: string, picture?: string): Promise<boolean> {
    this.#names += 1;
    const data = { user_id: userId, name, ...(picture === undefined ? {} : { picture }) };
    const id = idFromKey('name', String(this.#names));
    const event = { type: 'player-named', id, data, occurredAt: start } as const;
    return (await this.#append(playerStream(userId), event)) >= 0;
  }

  /** The first half of an erasure: the log says so, and the key is still there. */
  async tellErasure(userId: string): Promise<void> {
    const subject = playerSubject(userId);
    await this.#append(erasureStream(subject), erasureEvent(subject, start));
  }

  async erase(userId: string): Promise<void> {
    await this.tellErasure(userId);
    await this.#keys.destroy([playerSubject(userId)]);
  }

  /** Folds what was appended since, in one batch, and commits it. */
  async commit(): Promise<Checkpoint> {
    const page = await this.log.read(this.#checkpoint, { categories }, { limit: 10_000 });
    const events = await leaderboardEvents.decode(page.events, this.#cipher);
    const touched = events.map((event) => leaderboardProjection.touches(event));
    const rows = await BatchRows.load(this.#generation, touched.flat());
    for (const [n, event] of events.entries()) {
      leaderboardProjection.apply(event, rows, touched[n] ?? []);
      this.naive.apply(event);
    }
    const { checkpoint: to } = page;
    const result = await this.#generation.commit({
      ...{ worker: 0, epoch: this.#epoch, from: this.#checkpoint, to },
      ...{ after: this.#batches, tail: '', changes: rows.changes() },
    });
    if (result.kind !== 'applied') throw new Error(`the batch was not applied: ${result.kind}`);
    this.#checkpoint = page.checkpoint;
    this.#batches += 1;
    // A read model may answer all reads of a turn of the event loop from one moment.
    await turnOver();
    return page.checkpoint;
  }

  async close(): Promise<void> {
    await this.#generation.close();
    await this.log.close();
    await this.#keys.close();
  }

  async #append(stream: string, event: Encodable): Promise<number> {
    const encoded = await leaderboardEvents.encode([event], this.#cipher);
    if (encoded.kind === 'subject-erased') return -1;
    const result = await this.log.append(stream, encoded.events, { expected: 'any' });
    if (result.kind === 'stored' || result.kind === 'content-mismatch') return result.revision;
    throw new Error(`${stream}: ${result.kind}`);
  }
}

class BatchRows implements Rows {
  /** What was loaded, whatever became of it. */
  readonly #loaded = new Map<string, Row | null>();
  readonly #rows = new Map<
    string,
    { readonly key: RowKey; row: Row | undefined; changed: boolean }
  >();

  static async load(generation: GenerationStore, addresses: readonly RowKey[]): Promise<BatchRows> {
    const rows = new BatchRows();
    const keys = [...new Map(addresses.map((address) => [textOf(address), address])).values()];
    const loaded = await generation.load(keys);
    for (const [index, key] of keys.entries()) {
      rows.#rows.set(textOf(key), { key, row: loaded[index], changed: false });
      rows.#loaded.set(textOf(key), loaded[index] ?? null);
    }
    return rows;
  }

  get(table: string, key: readonly Cell[]): Row | undefined {
    const held = this.#rows.get(textOf({ table, key }));
    if (!held) throw new Error(`${table} ${JSON.stringify(key)} was not touched`);
    return held.row;
  }

  put(table: string, row: Row): void {
    const described = leaderboardProjection.tables.find(({ name }) => name === table);
    const key = { table, key: (described?.key ?? []).map((column) => row[column] as Cell) };
    this.#rows.set(textOf(key), { key, row, changed: true });
  }

  delete(table: string, key: readonly Cell[]): void {
    this.#rows.set(textOf({ table, key }), { key: { table, key }, row: undefined, changed: true });
  }

  add(table: string): void {
    throw new TypeError(`${table} of the leaderboard has no sums`);
  }

  changes(): RowChange[] {
    const changed = [...this.#rows.values()].filter((held) => held.changed);
    return changed.map(({ key, row = null }) => {
      const before = this.#loaded.get(textOf(key));
      return { ...key, row, ...(before === undefined ? {} : { before }) };
    });
  }
}

function textOf({ table, key }: RowKey): string {
  return JSON.stringify([table, ...key]);
}
