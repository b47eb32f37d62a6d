import { systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import type { GenerationSpec, GenerationStore, Row, Table } from '@annals/projection';
import { at, put, remove, Share, sampleSpec } from '@annals/projection/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type RedisReads, redisLiveReader } from './index.ts';
import { limits } from './limits.ts';
import { redisReader } from './reader.ts';
import { breaking } from './testing/breaking-connection.ts';
import { counting } from './testing/counting-connection.ts';
import { type Opened, openSample } from './testing/opened.ts';

const scores: Table = {
  name: 'scores',
  columns: { board: 'text', player: 'text', score: 'integer', reached: 'integer' },
  key: ['board', 'player'],
  indexes: { best: ['board', 'score desc', 'reached', 'player'] },
  ranked: { group: ['board'], score: 'score' },
};

function row(player: string, score: number, reached = 0): Row {
  return { board: 'b', player, score, reached };
}

/** Best first, as the order runs. */
function sorted(rows: readonly Row[]): Row[] {
  return rows.toSorted(
    (a, b) =>
      (b.score as number) - (a.score as number) ||
      (a.reached as number) - (b.reached as number) ||
      Buffer.compare(Buffer.from(a.player as string), Buffer.from(b.player as string)),
  );
}

/** As an order gives them: the group is known to whoever asks. */
function shown(rows: readonly (Row | undefined)[]): Omit<Row, 'board'>[] {
  return rows.map((one) => {
    const { board: _, ...rest } = one as Row;
    return rest;
  });
}

async function openScores(url: string, shards: number): Promise<Opened & { share: Share }> {
  const opened = await openSample(url, { shards, spec: { tables: [scores] } });
  await opened.generation.finishBuilding?.();
  return { ...opened, share: await Share.take(opened.generation) };
}

function best(reads: RedisReads) {
  return reads.order('scores', 'best', ['b']);
}

function describeReads(url: string, shards: number): void {
  describe(`shards: ${shards}`, () => {
    test('pages of any depth join to the whole order, also in the midst of ties', async () => {
      const { share, shards: all } = await openScores(url, shards);
      const many = 3 * limits.mergedRowsMax;
      const rows = Array.from({ length: many }, (_, n) => row(`p${n}`, (n * 7) % 50, n % 3));
      await share.commit(...rows.map((one) => put(scores, one)));
      const model = sorted(rows);
      const offsets = [0, 1, 990, 1_000, 1_001, 1_777, many - 11, many - 1, many, many + 5];
      for (const offset of offsets) {
        const read = await redisReader(all).read((reads) => best(reads).page(offset, 10));
        expect(read).toMatchObject({ exact: true, checkpoint: at(1) });
        expect(read.value.total).toBe(many);
        expect(read.value.rows).toEqual(shown(model.slice(offset, offset + 10)));
      }
    });

    test('counts, neighbours and different scores are those of the whole group', async () => {
      const { share, shards: all } = await openScores(url, shards);
      const many = 2 * limits.scoresPageMax + 500;
      const rows = Array.from({ length: many }, (_, n) => row(`p${n}`, n - (n % 3), n));
      await share.commit(...rows.map((one) => put(scores, one)));
      const model = sorted(rows);
      const values = [-1, 0, 1, 3, 2_997, many - 1, many + 9];
      const { value } = await redisReader(all).read(async (reads) => ({
        ...(await best(reads).counts(values)),
        distinct: await best(reads).distinctBefore(values),
        around: await best(reads).around(model[777] as Row, 3, 4),
        missing: await best(reads).around(row('nobody', 30, 1), 1, 1),
      }));
      for (const [n, score] of values.entries()) {
        const above = model.filter((one) => (one.score as number) > score);
        const through = model.filter((one) => (one.score as number) >= score).length;
        expect(value.counts[n]).toEqual({ before: above.length, through });
        expect(value.distinct[n]).toBe(new Set(above.map((one) => one.score)).size);
      }
      const { around, missing } = value;
      expect(around.above).toEqual(shown(model.slice(774, 777)));
      expect(around.below).toEqual(shown(model.slice(778, 782)));
      const place = sorted([...rows, row('nobody', 30, 1)]).findIndex(
        (one) => one.player === 'nobody',
      );
      expect(missing.above).toEqual(shown([model[place - 1]]));
      expect(missing.below).toEqual(shown([model[place]]));
    });

    test.each([
      ['evenly', (n: number) => 1_000_000 + 10 * n],
      ['all at once but one', (n: number) => (n === 0 ? 0 : 5_000_000)],
      ['more and more seldom', (n: number) => n ** 3],
      ['in two bursts far apart', (n: number) => (n % 2 === 0 ? n : 2 ** 45 + n)],
    ])('a place is found among thousands of ties that were reached %s', async (_, reachedAt) => {
      const { share, shards: all } = await openScores(url, shards);
      const many = 4_000;
      const rows = Array.from({ length: many }, (_, n) => row(`p${n}`, 7, reachedAt(n)));
      rows.push(row('better', 8), row('worse', 6));
      await share.commit(...rows.map((one) => put(scores, one)));
      const model = sorted(rows);
      for (const index of [0, 1, 2, 77, 1_999, 2_000, 2_001, 3_333, many - 1, many, many + 1]) {
        const own = model[index] as Row;
        const gone = { ...own, player: `${own.player}!` };
        const { value } = await redisReader(all).read(async (reads) => ({
          there: await best(reads).around(own, 3, 3),
          gone: await best(reads).around(gone, 3, 3),
        }));
        expect(value.there.place).toBe(index);
        expect(value.there.above).toEqual(shown(model.slice(Math.max(0, index - 3), index)));
        expect(value.there.below).toEqual(shown(model.slice(index + 1, index + 4)));
        const place = sorted([...rows, gone]).indexOf(gone);
        expect(value.gone.place).toBe(place);
        expect(value.gone.below).toEqual(shown(model.slice(place, place + 3)));
      }
    });

    test('kept rows cost no round trip until their table changes, and never hide a change', async () => {
      const { share, shards: all, connection } = await openScores(url, shards);
      const rows = Array.from({ length: 40 }, (_, n) => row(`p${n}`, n));
      await share.commit(...rows.map((one) => put(scores, one)));
      const { shards: counted, scripts } = counting(connection, all);
      const reader = redisReader(counted);
      const keys = [...rows, row('nobody', 0)].map((one) => ({
        table: 'scores',
        key: ['b', one.player as string],
      }));
      const read = async () => {
        const before = scripts();
        const { value, exact } = await reader.read(async (reads) => {
          const { total } = await best(reads).counts([]);
          const first = scripts();
          return { total, rows: await reads.loadKept(keys), more: scripts() - first };
        });
        expect(exact).toBe(true);
        return { ...value, scripts: scripts() - before };
      };
      expect((await read()).more).toBeGreaterThan(0);
      const kept = await read();
      expect(kept.more).toBe(0);
      expect(kept.rows).toEqual([...rows, undefined]);

      const changed = row('p7', 1_000);
      await share.commit(put(scores, changed), remove(scores, 'b', 'p9'));
      const seen = await read();
      expect(seen.more).toBeGreaterThan(0);
      expect(seen.rows[7]).toEqual(changed);
      expect(seen.rows[9]).toBeUndefined();
      expect((await read()).more).toBe(0);
    });

    test('kept rows are used before their shard has spoken, and read again where it says that they changed', async () => {
      const { share, shards: all, connection } = await openScores(url, shards);
      await share.commit(put(scores, row('p1', 1)));
      const { shards: counted, scripts } = counting(connection, all);
      const reader = redisReader(counted);
      const key = { table: 'scores', key: ['b', 'p1'] };
      const read = async () => {
        const before = scripts();
        const { value, exact } = await reader.read(async (reads) => {
          const [{ total }, rows] = await Promise.all([
            best(reads).counts([]),
            reads.loadKept([key]),
          ]);
          return { total, rows };
        });
        expect(exact).toBe(true);
        return { ...value, scripts: scripts() - before };
      };
      await read();
      const kept = await read();
      expect(kept.rows).toEqual([row('p1', 1)]);
      await share.commit(put(scores, row('p1', 2)));
      const seen = await read();
      expect(seen.rows).toEqual([row('p1', 2)]);
      expect(seen.scripts).toBeGreaterThan(kept.scripts);
      await share.commit(remove(scores, 'b', 'p1'));
      expect(await read()).toMatchObject({ total: 0, rows: [undefined] });
    });

    test('what many ask at the same time is asked once, and all are answered', async () => {
      const { share, shards: all } = await openScores(url, shards);
      const rows = Array.from({ length: 20 }, (_, n) => row(`p${n}`, n));
      await share.commit(...rows.map((one) => put(scores, one)));
      const reader = redisReader(all);
      const pages = await Promise.all(
        Array.from({ length: 12 }, (_, n) => reader.read((reads) => best(reads).page(n % 3, 5))),
      );
      const model = sorted(rows);
      for (const [n, { value }] of pages.entries()) {
        expect(value).toEqual({ total: 20, rows: shown(model.slice(n % 3, (n % 3) + 5)) });
      }
    });

    test('reads that begin together share scripts, and each has its own answer', async () => {
      const { share, shards: all, connection } = await openScores(url, shards);
      const rows = Array.from({ length: 50 }, (_, n) => row(`p${n}`, n));
      await share.commit(...rows.map((one) => put(scores, one)));
      const { shards: counted, scripts } = counting(connection, all);
      const reader = redisReader(counted);
      const answers = await Promise.all(
        rows.map((one) =>
          reader.read(async (reads) => ({
            ...(await best(reads).counts([one.score as number])),
            rows: await reads.load([{ table: 'scores', key: ['b', one.player as string] }]),
          })),
        ),
      );
      for (const [n, { value, exact, checkpoint }] of answers.entries()) {
        expect({ exact, checkpoint }).toEqual({ exact: true, checkpoint: at(1) });
        expect(value.counts).toEqual([{ before: 49 - n, through: 50 - n }]);
        expect(value.rows).toEqual([rows[n]]);
      }
      // Each read asks twice; all that are asked for at the same time go to each shard in one script or two.
      expect(scripts()).toBeLessThanOrEqual(4 * shards);
    });

    test('what is damaged fails whoever asks for it, and nobody who asks at the same time', async () => {
      const { share, shards: all, connection } = await openScores(url, shards);
      await share.commit(put(scores, row('p1', 5)));
      const key = { table: 'scores', key: ['b', 'p1'] };
      const { shard, bucket } = all.place(key);
      await connection.call('SET', `${all.names[shard]?.tag}${bucket}`, 'no hash');
      const reader = redisReader(all);
      const [damaged, ...others] = await Promise.allSettled([
        reader.read((reads) => reads.load([key])),
        ...[5, 6].map((score) => reader.read((reads) => best(reads).counts([score]))),
      ]);
      expect(damaged).toMatchObject({ status: 'rejected', reason: { code: 'foreign-keys' } });
      expect(others).toMatchObject([
        { status: 'fulfilled', value: { value: { counts: [{ before: 0, through: 1 }] } } },
        { status: 'fulfilled', value: { value: { counts: [{ before: 0, through: 0 }] } } },
      ]);
    });

    test('while commits go on, what is exact is right at its checkpoint', async () => {
      const { generation, share, shards: all } = await openScores(url, shards);
      const players = Array.from({ length: 40 }, (_, n) => `p${n}`);
      const scoreAt = (n: number, player: number) => (n * (player + 3)) % 17;
      const rowsAt = (n: number) => players.map((name, p) => row(name, scoreAt(n, p), n));
      await share.commit(...rowsAt(1).map((one) => put(scores, one)));
      let writing = true;
      const writer = keepCommitting(share, rowsAt, () => writing);
      // Ended also when the test fails, before its generation is dropped.
      onTestFinished(async () => {
        writing = false;
        await writer;
      });
      const seen = { exact: 0, other: 0 };
      for (let n = 0; n < 150; n += 1) {
        const { value, checkpoint, exact } = await redisReader(all).read(async (reads) => {
          const { rows } = await best(reads).page(0, 40);
          const again = await reads.load([{ table: 'scores', key: ['b', rows[0]?.player ?? ''] }]);
          return { rows, again };
        });
        seen[exact ? 'exact' : 'other'] += 1;
        if (!exact) continue;
        const model = sorted(rowsAt(Number(checkpoint[0])));
        expect(value.rows).toEqual(shown(model));
        expect(value.again).toEqual([model[0]]);
      }
      writing = false;
      expect(await writer).toBeGreaterThan(5);
      expect(seen.exact).toBeGreaterThan(0);
      await generation.close();
    });
  });
}

async function keepCommitting(
  share: Share,
  rowsAt: (n: number) => readonly Row[],
  goesOn: () => boolean,
): Promise<number> {
  let n = 1;
  for (; n < 5_000 && goesOn(); n += 1) {
    await share.commit(...rowsAt(n + 1).map((one) => put(scores, one)));
    await systemClock.sleep(3);
  }
  return n;
}

await describeOn('redis', 'Reads on one server', ({ url }) => {
  for (const shards of [1, 8]) describeReads(url, shards);

  test('of shards that stand apart are not exact, and good for the lowest stamp', async () => {
    const { share, shards: all, over, connection } = await openScores(url, 4);
    const rowsAt = (n: number) => Array.from({ length: 40 }, (_, p) => row(`p${p}`, n));
    await share.commit(...rowsAt(1).map((one) => put(scores, one)));
    const batch = share.batch(rowsAt(2).map((one) => put(scores, one)));
    await expect(over(breaking(connection, 2)).commit(batch)).rejects.toThrow();
    const read = () => redisReader(all).read((reads) => best(reads).counts([1]));
    expect(await read()).toMatchObject({ exact: false, checkpoint: at(1), value: { total: 40 } });
    await share.send(batch);
    const whole = { total: 40, counts: [{ before: 40, through: 40 }] };
    expect(await read()).toEqual({ exact: true, checkpoint: at(2), value: whole });
  });

  test('of an order that is not kept is a bug', async () => {
    const { shards } = await openScores(url, 1);
    const read = redisReader(shards).read(async (reads) => reads.order('scores', 'worst', ['b']));
    await expect(read).rejects.toThrow(TypeError);
  });

  describe('the live reader', () => {
    async function open(live: () => GenerationSpec | undefined) {
      const opened = await openSample(url, { shards: 2, spec: { tables: [scores] } });
      const { prefix } = opened;
      const clock = systemClock;
      const projection = 'sample';
      const reader = redisLiveReader({ url, projection, prefix, liveGeneration: live, clock });
      onTestFinished(() => reader.close());
      return { ...opened, reader };
    }

    test('is building until a generation is live and built, then turns with it, and knows when it is lost', async () => {
      let generation: GenerationSpec | undefined;
      const { generation: one, store, reader, prefix } = await open(() => generation);
      expect(prefix).toBeTruthy();
      const kind = async () => (await reader.current()).kind;
      expect(await kind()).toBe('building');
      generation = one.spec;
      expect(await kind()).toBe('building');
      await one.finishBuilding?.();
      await expect.poll(kind).toBe('ready');
      generation = { ...one.spec, generation: 2, id: 'the second' };
      expect(await reader.current()).toEqual({ kind: 'lost', generation: 2 });
      await store.create(generation);
      const two = (await store.open(2)) as GenerationStore;
      await two.finishBuilding?.();
      await expect.poll(() => reader.current()).toMatchObject({ kind: 'ready', generation: 2 });
      generation = { ...generation, id: 'of another log' };
      expect(await kind()).toBe('lost');
      generation = { ...generation, id: 'the second' };
      await expect.poll(kind).toBe('ready');
      await store.drop(2);
      await expect.poll(kind).toBe('lost');
    });

    test('lets those go who wait, as the checkpoint comes to them', async () => {
      const { generation, reader } = await open(() => sampleSpec);
      await generation.finishBuilding?.();
      const share = await Share.take(generation);
      const options = { timeoutMs: 20_000 };
      const waiting = [1, 2, 3].map((n) => reader.waitFor(at(n), options));
      for (let n = 0; n < 3; n += 1) await share.commit();
      expect(await Promise.all(waiting)).toEqual(['reached', 'reached', 'reached']);
      expect(await reader.waitFor(at(4), { timeoutMs: 20 })).toBe('timeout');
      const stop = new AbortController();
      const aborted = reader.waitFor(at(4), { ...options, signal: stop.signal });
      stop.abort();
      expect(await aborted).toBe('timeout');
    });
  });
});

await describeOn('redis-cluster', 'Reads on a cluster', ({ url }) => describeReads(url, 8));
