import { randomUUID } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Clock } from '@annals/core';
import type { Checkpoint } from '@annals/event-log';
import type { GenerationSnapshot, Row } from '@annals/projection';
import { betweenCommits } from './between-commits.ts';
import { storeError } from './errors.ts';
import { bucketsOf, type FoundBucket } from './finish-building.ts';
import { limits } from './limits.ts';
import type { ShardNames } from './names.ts';
import { orderProblems } from './order-problems.ts';
import { fieldsOf, listOf, textOf, wordOf } from './replies.ts';
import { areEqual, lowestOf, type Shards, type WorkerStamp } from './shards.ts';
import { markScript, touchScript } from './snapshot-scripts.ts';
import type { TableLayout } from './table-layout.ts';

/** One attempt to begin a snapshot in all shards at once. */
interface Mark {
  readonly id: string;
  readonly number: number;
  readonly states: readonly Map<string, string>[];
}

/**
 * Begins a snapshot at a moment in which all shards stand at one checkpoint. From then on each commit
 * puts aside what was there before, once for each row; see decision 013.
 */
export async function openSnapshot(shards: Shards, clock: Clock): Promise<GenerationSnapshot> {
  for (let look = 1; look <= limits.snapshotLooksMax; look += 1) {
    const mark = await markAll(shards);
    if (isWhole(shards, mark)) return new RedisSnapshot(shards, mark, clock);
    await endMark(shards, mark);
    await clock.sleep(look);
  }
  // Commits that follow each other without a pause are made to wait for one.
  return betweenCommits(
    shards,
    clock,
    async () => new RedisSnapshot(shards, await markAll(shards), clock),
  );
}

async function markAll(shards: Shards): Promise<Mark> {
  const id = randomUUID();
  const [first, ...others] = shards.names as [ShardNames, ...ShardNames[]];
  const begin = async (names: ShardNames, number: number) => {
    const args = [id, limits.snapshotMsMax, number];
    const reply = await shards.run(names, markScript, names.snapshots, args);
    if (wordOf(reply) !== 'full') return reply;
    throw storeError('busy', `${shards.connection.place}: too many snapshots are open`);
  };
  const chosen = await begin(first, 0);
  const number = Number(textOf(chosen[1] ?? null));
  const rest = await Promise.all(others.map((names) => begin(names, number)));
  const states = [chosen, ...rest].map((reply) => fieldsOf(reply[2] ?? null));
  return { id, number, states };
}

function isWhole(shards: Shards, mark: Mark): boolean {
  return areEqual(stampsOf(shards, mark));
}

function stampsOf({ spec }: Shards, { states }: Mark): WorkerStamp[][] {
  const workers = Array.from({ length: spec.workers }, (_, worker) => worker);
  return states.map((state) =>
    workers.map((worker) => ({
      at: state.get(`at:${worker}`) ?? '',
      open: state.get(`open:${worker}`),
      batch: state.get(`batch:${worker}`) ?? '',
    })),
  );
}

async function touchAll(shards: Shards, mark: Mark, ms: number): Promise<boolean> {
  const said = await Promise.all(
    shards.names.map((names) =>
      shards.run(names, touchScript, names.snapshots, [mark.id, ms, mark.number]),
    ),
  );
  return said.every((reply) => wordOf(reply) === 'touched');
}

async function endMark(shards: Shards, mark: Mark): Promise<void> {
  await touchAll(shards, mark, 0);
}

/**
 * Rows are read from the hashes as they are now, then those that changed since are put back from what
 * commits put aside, and all are brought in key order in a temporary SQLite database of this process.
 */
class RedisSnapshot implements GenerationSnapshot {
  readonly checkpoint: Checkpoint;
  readonly #shards: Shards;
  readonly #mark: Mark;
  readonly #clock: Clock;
  readonly #isBuilt: boolean;
  readonly #copies = new Map<TableLayout, Promise<void>>();
  #sorted: DatabaseSync | undefined;
  #closed = false;
  #touchedAt = performance.now();

  constructor(shards: Shards, mark: Mark, clock: Clock) {
    this.#shards = shards;
    this.#clock = clock;
    this.#mark = mark;
    this.checkpoint = lowestOf(shards.spec, stampsOf(shards, mark));
    this.#isBuilt = mark.states.every((state) => state.get('building') === '0');
  }

  async count(table: string): Promise<number> {
    const { number } = this.#shards.layout(table);
    const counts = this.#mark.states.map((state) => Number(state.get(`rows:${number}`) ?? 0));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async *rows(table: string): AsyncIterable<readonly Row[]> {
    const layout = this.#shards.layout(table);
    const sorted = await this.#sort(layout);
    const page = sorted.prepare(
      `SELECT key, value FROM t${layout.number} WHERE key > ? ORDER BY key LIMIT ? + 0`,
    );
    let after: Uint8Array = Buffer.alloc(0);
    for (;;) {
      if (this.#closed) throw storeError('closed', this.#shards.connection.place);
      const found = page.all(after, limits.snapshotPageRows) as unknown as {
        readonly key: Uint8Array;
        readonly value: Uint8Array;
      }[];
      if (found.length > 0) {
        yield found.map(({ key, value }) =>
          layout.read(layout.keyOfSortKey(Buffer.from(key)), Buffer.from(value)),
        );
      }
      const last = found.at(-1);
      if (!last || found.length < limits.snapshotPageRows) return;
      after = last.key;
    }
  }

  async problems(): Promise<readonly string[]> {
    // The orders are made when building is finished.
    return this.#isBuilt ? orderProblems(this.#shards, this.#clock) : [];
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#sorted?.close();
    // One that ran out, or whose generation is gone, is closed all the same.
    await endMark(this.#shards, this.#mark).catch(() => undefined);
  }

  /** Copies a table into the temporary database, once. */
  async #sort(layout: TableLayout): Promise<DatabaseSync> {
    if (this.#closed) throw storeError('closed', this.#shards.connection.place);
    this.#sorted ??= temporaryDatabase();
    const sorted = this.#sorted;
    const copying = this.#copies.get(layout) ?? this.#copyTable(layout, sorted);
    this.#copies.set(layout, copying);
    await copying;
    return sorted;
  }

  async #copyTable(layout: TableLayout, sorted: DatabaseSync): Promise<void> {
    const name = `t${layout.number}`;
    sorted.exec(
      `CREATE TABLE ${name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID`,
    );
    const put = sorted.prepare(`INSERT OR REPLACE INTO ${name} VALUES (?, ?)`);
    let some: FoundBucket[] = [];
    const copySome = async () => {
      await Promise.all(some.map((found) => this.#copy(layout, found, put)));
      some = [];
      await this.#touchIfDue();
    };
    for await (const found of bucketsOf(this.#shards, layout)) {
      some.push(found);
      if (some.length >= limits.bucketsInFlightMax) await copySome();
    }
    await copySome();
    const remove = sorted.prepare(`DELETE FROM ${name} WHERE key = ?`);
    for (const names of this.#shards.names) await this.#putBack(layout, names, put, remove);
    await this.#touch();
  }

  async #copy(layout: TableLayout, { names, bucket }: FoundBucket, put: StatementSync) {
    for await (const pairs of this.#pagesOf(names.tag + bucket)) {
      this.#sorted?.exec('BEGIN');
      for (let n = 0; n + 1 < pairs.length; n += 2) {
        const key = layout.keyOf(bucket, String(pairs[n]));
        put.run(layout.sortKey(key), pairs[n + 1] as Buffer);
      }
      this.#sorted?.exec('COMMIT');
      await this.#touchIfDue();
    }
  }

  /** What commits put aside is read after the rows: a row that changed before it was read is in it. */
  async #putBack(
    layout: TableLayout,
    names: ShardNames,
    put: StatementSync,
    remove: StatementSync,
  ): Promise<void> {
    const aside = names.snapshots[this.#mark.number - 1] as string;
    const beginning = `${names.tag}r${layout.number}:`;
    for await (const pairs of this.#pagesOf(aside)) {
      for (let n = 0; n + 1 < pairs.length; n += 2) {
        const place = pairs[n] as Buffer;
        const mark = place.indexOf(0x3a) + 1;
        const end = mark + Number(place.toString('latin1', 0, mark - 1));
        const key = place.toString('utf8', mark, end);
        if (!key.startsWith(beginning)) continue;
        const field = place.toString('utf8', end);
        const sortKey = layout.sortKey(layout.keyOf(key.slice(names.tag.length), field));
        const before = pairs[n + 1] as Buffer;
        if (before[0] === wasThere) put.run(sortKey, before.subarray(1));
        else remove.run(sortKey);
      }
    }
  }

  async *#pagesOf(key: string): AsyncIterable<readonly Buffer[]> {
    let cursor = '0';
    do {
      const { connection } = this.#shards;
      const page = listOf(await connection.call('HSCAN', key, cursor, 'COUNT', limits.scanCount));
      cursor = textOf(page[0] ?? null);
      yield listOf(page[1] ?? null) as readonly Buffer[];
    } while (cursor !== '0');
  }

  async #touchIfDue(): Promise<void> {
    if (performance.now() - this.#touchedAt > limits.snapshotMsMax / 10) await this.#touch();
  }

  async #touch(): Promise<void> {
    this.#touchedAt = performance.now();
    if (await touchAll(this.#shards, this.#mark, limits.snapshotMsMax)) return;
    throw storeError('busy', `${this.#shards.connection.place}: the snapshot was given up`);
  }
}

/** A file without a name, which SQLite removes when it is closed; it need not survive anything. */
function temporaryDatabase(): DatabaseSync {
  const database = new DatabaseSync('');
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
  return database;
}

/** The digit 1. */
const wasThere = 0x31;
