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

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  afterAll(() => keyspace.drop(), 120_000);

  const storeOn = (cassandra: CassandraConnection): ProjectionStore =>
    cassandraProjectionStore({ cassandra, projection: projection.name, clock, ...testLayout });

  test('projectors that die in the midst of commits: live = rebuilt = naive, and verified while appends go on', async () => {
    const log = memoryEventLog({ partitions: 2 });
    const naive = new Map<string, { game: string; player: string; points: number; late: number }>();
    let events = 0;
    const append = async (type: 'scored' | 'closed', game: string, data: object) => {
      events += 1;
      const id = idFromKey('event', String(events));
      const event = { type, id, data, occurredAt: clock.now() } as Parameters<
        typeof types.encode
      >[0][number];
      const encoded = await types.encode([event], cipher);
      if (encoded.kind !== 'encoded') throw new Error(encoded.kind);
      await log.append(game, encoded.events, { expected: 'any' });
    };
    const closedGames = new Set<string>();
    const play = async (n: number) => {
      const game = `game-${n % 5}`;
      if (n % 97 === 96) {
        closedGames.add(game);
        return append('closed', game, {});
      }
      const player = `p${(n * 7) % 11}`;
      const points = 1 + (n % 13);
      const total = naive.get(`${game} ${player}`) ?? { game, player, points: 0, late: 0 };
      if (closedGames.has(game)) total.late += 1;
      else total.points += points;
      naive.set(`${game} ${player}`, total);
      return append('scored', game, { player, points });
    };

    const controls = new AbortController();
    const directory = generationDirectory(log, { signal: controls.signal, clock });
    let processes = 0;
    /** A process that lives for so many writes. */
    const start = async (writes: number) => {
      processes += 1;
      const cassandra = await GatedConnection.open(keyspace.url);
      const stop = new AbortController();
      const projector = runProjector({
        log,
        cipher,
        directory: generationDirectory(log, { signal: stop.signal, clock }),
        clock,
        signal: stop.signal,
        projections: [projection],
        storeFor: () => storeOn(cassandra),
        holder: `process-${processes}`,
      });
      projector.done.catch(() => undefined);
      let left = writes;
      const dead = new Promise<void>((resolve) => {
        cassandra.gate = async () => {
          left -= 1;
          if (left >= 0) return;
          resolve();
          throw new Crash('dead');
        };
      });
      const end = async () => {
        stop.abort();
        await projector.done.catch(() => undefined);
        await cassandra.close();
      };
      return { dead, end };
    };

    let n = 0;
    for (let life = 0; life < 4; life += 1) {
      const process = await start(20 + 9 * life);
      let isDead = false;
      void process.dead.then(() => {
        isDead = true;
      });
      const deadline = Date.now() + 20_000;
      while (!isDead && Date.now() < deadline) {
        for (let some = 0; some < 5; some += 1, n += 1) await play(n);
        await clock.sleep(20);
      }
      expect(isDead).toBe(true);
      await process.end();
    }

    const last = await start(Number.POSITIVE_INFINITY);
    const store = storeOn(await keyspace.connection());
    const operation = { log, store, projection, cipher, clock, directory, holder: 'operator' };
    let isPlaying = true;
    const playing = (async () => {
      for (; isPlaying; n += 1) {
        await play(n);
        await clock.sleep(15);
      }
    })();
    expect((await rebuild({ ...operation, workers: 2 })).kind).toBe('rebuilt');
    const verified = await verify(operation);
    isPlaying = false;
    await playing;
    expect(verified).toMatchObject({ kind: 'verified', differences: [], problems: [] });
    expect((await promote(operation)).kind).toBe('promoted');

    for (const generation of [1, 2]) {
      expect(await rowsAt(store, generation, await log.head())).toEqual(
        [...naive.values()].sort((a, b) =>
          a.game === b.game ? (a.player < b.player ? -1 : 1) : a.game < b.game ? -1 : 1,
        ),
      );
    }
    await last.end();
    controls.abort();
  }, 180_000);
});

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
