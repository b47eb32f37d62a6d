import { idFromKey, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { coversAll, EventTypes, eventType, memoryEventLog } from '@annals/event-log';
import {
  defineProjection,
  generationDirectory,
  type ProjectionStore,
  promote,
  type Row,
  rebuild,
  runProjector,
  verify,
} from '@annals/projection';
import { allRows } from '@annals/projection/contract';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { cassandraProjectionStore } from './cassandra-projection-store.ts';
import type { CassandraConnection } from './connection.ts';
import { Crash, GatedConnection } from './testing/gated-connection.ts';
import { TestKeyspace, testLayout } from './testing/site.ts';

const scored = eventType({
  name: 'scored',
  schemaVersion: 1,
  schema: z.strictObject({ player: z.string(), points: z.int() }),
});
const closed = eventType({ name: 'closed', schemaVersion: 1, schema: z.strictObject({}) });
const types = new EventTypes([scored, closed]);

/** An increment that depends on another row: what comes after a game was closed does not count. */
const projection = defineProjection({
  name: 'games',
  version: 1,
  categories: ['game'],
  tables: [
    {
      name: 'totals',
      columns: { game: 'text', player: 'text', points: 'integer', late: 'integer' },
      key: ['game', 'player'],
      ranked: { group: ['game'], score: 'points' },
    },
    { name: 'closed_games', columns: { game: 'text' }, key: ['game'] },
  ],
  split: 'stream',
  onFailure: 'halt',
  types,
  handlers: {
    scored: {
      touches: ({ stream, data }) => [
        { table: 'closed_games', key: [stream] },
        { table: 'totals', key: [stream, data.player] },
      ],
      apply: ({ stream, data: { player, points } }, rows) => {
        const isClosed = rows.get('closed_games', [stream]) !== undefined;
        const before = rows.get('totals', [stream, player]);
        rows.put('totals', {
          game: stream,
          player,
          points: Number(before?.points ?? 0) + (isClosed ? 0 : points),
          late: Number(before?.late ?? 0) + (isClosed ? 1 : 0),
        });
      },
    },
    closed: {
      touches: ({ stream }) => [{ table: 'closed_games', key: [stream] }],
      apply: ({ stream }, rows) => rows.put('closed_games', { game: stream }),
    },
  },
});

const cipher = { keyring: () => Promise.reject(new Error('there is no personal data here')) };
const clock = systemClock;

interface Total {
  readonly game: string;
  readonly player: string;
  points: number;
  late: number;
}

/** The log, and what it should come to. */
class Games {
  readonly log = memoryEventLog({ partitions: 2 });
  readonly #totals = new Map<string, Total>();
  readonly #closed = new Set<string>();
  #events = 0;

  async play(): Promise<void> {
    const n = this.#events;
    const game = `game-${n % 5}`;
    if (n % 97 === 96) {
      this.#closed.add(game);
      return this.#append('closed', game, {});
    }
    const player = `p${(n * 7) % 11}`;
    const points = 1 + (n % 13);
    const key = `${game} ${player}`;
    const total = this.#totals.get(key) ?? { game, player, points: 0, late: 0 };
    if (this.#closed.has(game)) total.late += 1;
    else total.points += points;
    this.#totals.set(key, total);
    return this.#append('scored', game, { player, points });
  }

  async #append(type: 'scored' | 'closed', game: string, data: object): Promise<void> {
    this.#events += 1;
    const id = idFromKey('event', String(this.#events));
    const event = { type, id, data, occurredAt: clock.now() } as NewGameEvent;
    const encoded = await types.encode([event], cipher);
    if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
    await this.log.append(game, encoded.events, { expected: 'any' });
  }

  get totals(): readonly Total[] {
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    return [...this.#totals.values()].sort(
      (a, b) => order(a.game, b.game) || order(a.player, b.player),
    );
  }
}

type NewGameEvent = Parameters<typeof types.encode>[0][number];

function storeOn(cassandra: CassandraConnection): ProjectionStore {
  return cassandraProjectionStore({
    cassandra,
    projection: projection.name,
    clock,
    ...testLayout,
  });
}

/** A projector's process that lives for so many writes. */
async function startProcess(url: string, log: Games['log'], holder: string, writes: number) {
  const cassandra = await GatedConnection.open(url);
  const stop = new AbortController();
  const { signal } = stop;
  const projector = runProjector({
    ...{ log, cipher, clock, signal, holder },
    directory: generationDirectory(log, { signal, clock }),
    projections: [projection],
    storeFor: () => storeOn(cassandra),
  });
  projector.done.catch(() => undefined);
  let left = writes;
  cassandra.gate = async () => {
    left -= 1;
    if (left < 0) throw new Crash('dead');
  };
  return {
    isDead: () => left < 0,
    end: async () => {
      stop.abort();
      await projector.done.catch(() => undefined);
      await cassandra.close();
    },
  };
}

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  afterAll(() => keyspace.drop(), 120_000);

  test('projectors that die in the midst of commits: live = rebuilt = naive, and verified while appends go on', async () => {
    const games = new Games();
    const { log } = games;
    const controls = new AbortController();
    const directory = generationDirectory(log, { signal: controls.signal, clock });
    for (let life = 0; life < 4; life += 1) {
      const process = await startProcess(keyspace.url, log, `life-${life}`, 20 + 9 * life);
      const deadline = Date.now() + 20_000;
      while (!process.isDead() && Date.now() < deadline) {
        for (let some = 0; some < 5; some += 1) await games.play();
        await clock.sleep(20);
      }
      expect(process.isDead()).toBe(true);
      await process.end();
    }

    const last = await startProcess(keyspace.url, log, 'last', Number.POSITIVE_INFINITY);
    const store = storeOn(await keyspace.connection());
    const operation = { log, store, projection, cipher, clock, directory, holder: 'operator' };
    const verified = await whilePlaying(games, async () => {
      expect((await rebuild({ ...operation, workers: 2 })).kind).toBe('rebuilt');
      return verify(operation);
    });
    expect(verified).toMatchObject({ kind: 'verified', differences: [], problems: [] });
    expect((await promote(operation)).kind).toBe('promoted');
    for (const generation of [1, 2]) {
      expect(await rowsAt(store, generation, await log.head())).toEqual(games.totals);
    }
    await last.end();
    controls.abort();
  }, 180_000);
});

/** Does something while events are appended. */
async function whilePlaying<T>(games: Games, work: () => Promise<T>): Promise<T> {
  let isPlaying = true;
  const playing = (async () => {
    while (isPlaying) {
      await games.play();
      await clock.sleep(15);
    }
  })();
  try {
    return await work();
  } finally {
    isPlaying = false;
    await playing;
  }
}

/** The totals of a generation once it has come as far as `head`. */
async function rowsAt(
  store: ProjectionStore,
  generation: number,
  head: Readonly<Record<number, string>>,
): Promise<Row[]> {
  const opened = await store.open(generation);
  if (opened === 'lost') throw new Error(`g${generation} is lost`);
  const deadline = Date.now() + 30_000;
  while (!coversAll(await opened.checkpoint(), head)) {
    if (Date.now() > deadline) throw new Error(`g${generation} does not catch up`);
    await clock.sleep(50);
  }
  const snapshot = await opened.snapshot();
  expect(await snapshot.problems()).toEqual([]);
  const rows = await allRows(snapshot, 'totals');
  await snapshot.close();
  return rows;
}
