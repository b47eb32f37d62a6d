import { EventTypes, memoryEventLog } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { memoryProjectionStore, type StoreFault } from '../memory-projection-store.ts';
import { drop } from '../operations/flip.ts';
import { rebuild } from '../operations/rebuild.ts';
import { GameSite, gameProjection, type ProjectorProcess } from '../testing/game.ts';
import { SeededRandom } from '../testing/seeded-random.ts';
import type { ShareStatus } from './share-status.ts';

function shareOf(process: ProjectorProcess, generation = 1): ShareStatus {
  const status = process.status().find((one) => one.generation === generation);
  if (status?.kind !== 'followed') throw new Error(`g${generation} is ${status?.kind}`);
  return status.shares[0]!;
}

describe('a projector', () => {
  test('makes the first generation of a projection, live at once, and follows the log', async () => {
    const site = new GameSite();
    await site.score('ann', 3);
    const projector = site.start([gameProjection()]);
    await site.clock.advance(100);
    expect(projector.directory.live('game')?.generation).toBe(1);
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":3,"games":1}']);
    await site.score('ann', 4);
    await site.score('bob', 1);
    await site.clock.advance(100);
    expect((await site.rows(1)).totals).toEqual([
      '{"player":"ann","points":7,"games":2}',
      '{"player":"bob","points":1,"games":1}',
    ]);
    const [status] = projector.status();
    expect(status).toMatchObject({ kind: 'followed', isLive: true, generation: 1 });
    expect(shareOf(projector)).toMatchObject({
      state: 'live',
      caughtUp: true,
      events: 3,
      checkpoint: await site.log.head(),
    });
    await projector.stop();
  });

  test('makes one that is live, too, where all that were made before it were dropped and none was ever live', async () => {
    const site = new GameSite();
    await site.score('ann', 3);
    const operation = site.operation(gameProjection());
    expect(await site.clock.until(rebuild(operation))).toMatchObject({ kind: 'rebuilt' });
    const waiting = site.start([gameProjection()]);
    await site.clock.advance(1_000);
    // Whoever filled it has yet to say that it is right.
    expect(waiting.directory.live('game')).toBeUndefined();
    await waiting.stop();
    const dropped = await site.clock.until(drop({ ...operation, generation: 1 }));
    expect(dropped).toMatchObject({ kind: 'dropped' });
    const projector = site.start([gameProjection()]);
    await site.clock.advance(1_000);
    expect(projector.directory.live('game')?.generation).toBe(2);
    expect((await site.rows(2)).totals).toEqual(['{"player":"ann","points":3,"games":1}']);
    await projector.stop();
  });

  test('moves its checkpoint on past events it does not follow, at most once a second', async () => {
    const site = new GameSite();
    const projector = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(2_000);
    const { batches } = shareOf(projector);
    for (let note = 0; note < 10; note += 1) {
      await site.note();
      await site.clock.advance(10);
    }
    await site.clock.advance(2_000);
    expect(await site.checkpoint(1)).toEqual(await site.log.head());
    expect(shareOf(projector).batches).toBeLessThanOrEqual(batches + 3);
    await projector.stop();
  });

  test('a store that goes back behind it: nothing is missed and nothing applied twice', async () => {
    const site = new GameSite();
    const projector = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(100);
    const copy = site.database.backup();
    await site.score('ann', 2);
    await site.score('bob', 5);
    await site.clock.advance(100);
    site.database.restore(copy);
    await site.score('ann', 4);
    await site.clock.advance(1_000);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    expect((await site.rows(1)).games).toHaveLength(4);
    await projector.stop();
  });

  test('a store that goes back while nothing happens is brought forward again', async () => {
    const site = new GameSite();
    const projector = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(100);
    const copy = site.database.backup();
    await site.score('ann', 2);
    await site.clock.advance(5_000);
    site.database.restore(copy);
    await site.clock.advance(5_000);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test.each<StoreFault>(['before', 'after'])(
    'a third of all store calls fail %s they took effect: each event is applied once',
    async (fault) => {
      const site = new GameSite();
      const random = new SeededRandom(1);
      const faults = () => (random.chance(33) ? fault : 'none');
      const { clock, database } = site;
      const store = memoryProjectionStore({ clock, database, faults });
      const projector = site.start([gameProjection()], { storeFor: () => store });
      for (let round = 0; round < 30; round += 1) {
        await site.score(`p${round % 4}`, round);
        await clock.advance(400);
      }
      await clock.advance(60_000);
      expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
      expect(shareOf(projector).errors).toBeGreaterThan(0);
      await projector.stop();
    },
  );

  test('deliveries that come again or break off change nothing', async () => {
    const site = new GameSite();
    let deliveries = 0;
    const log = memoryEventLog({
      storage: site.log.storage,
      clock: site.clock,
      faults: {
        subscribe: () => ({}),
        deliver: () => {
          deliveries += 1;
          return deliveries % 5 === 0 ? 'throw' : deliveries % 2 === 0 ? 'repeat' : undefined;
        },
      },
    });
    const projector = site.start([gameProjection()], { log });
    for (let round = 0; round < 20; round += 1) {
      await site.score(`p${round % 3}`, 1);
      await site.clock.advance(200);
    }
    await site.clock.advance(60_000);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test('of two projectors started at once one works, the other takes over when it stops', async () => {
    const site = new GameSite();
    const [first, second] = [site.start([gameProjection()]), site.start([gameProjection()])];
    await site.score('ann', 1);
    await site.clock.advance(2_000);
    expect(first.directory.live('game')?.generation).toBe(1);
    expect(site.database.generations).toEqual([1]);
    expect([shareOf(first).state, shareOf(second).state].sort()).toEqual(['live', 'waiting']);
    const [working, waiting] = shareOf(first).state === 'live' ? [first, second] : [second, first];
    expect(shareOf(working).leased).toBe(true);
    expect(shareOf(waiting)).toMatchObject({ events: 0, leased: false });
    await working.stop();
    await site.score('ann', 1);
    await site.clock.advance(2_000);
    expect(shareOf(waiting)).toMatchObject({ state: 'live', events: 1, leased: true });
    expect(shareOf(working).leased).toBe(false);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await waiting.stop();
  });

  test('after a crash the lease runs out, and the other projector takes over', async () => {
    const site = new GameSite();
    const first = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(1_000);
    const second = site.start([gameProjection()]);
    await site.clock.advance(1_000);
    await first.crash();
    await site.score('ann', 1);
    await site.clock.advance(2_000);
    expect(shareOf(second).state).toBe('waiting');
    await site.clock.advance(10_000);
    expect(shareOf(second).state).toBe('live');
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await second.stop();
  });

  test('two projectors that both believe they hold the lease: each event is applied once', async () => {
    const site = new GameSite();
    const first = site.start([gameProjection()], { holder: 'same' });
    const second = site.start([gameProjection()], { holder: 'same' });
    for (let round = 0; round < 40; round += 1) {
      await site.score(`p${round % 3}`, 1);
      await site.clock.advance(30);
    }
    await site.clock.advance(5_000);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await first.stop();
    await second.stop();
  });

  test('a store that is gone is recognised as lost within a second, and again when it is back', async () => {
    const site = new GameSite();
    const projector = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(500);
    const copy = site.database.backup();
    site.database.lose(1);
    await site.clock.advance(1_050);
    expect(shareOf(projector)).toMatchObject({
      state: 'lost',
      leased: false,
      detail: expect.stringContaining('annals rebuild game'),
    });
    await site.score('ann', 1);
    site.database.restore(copy);
    await site.clock.advance(2_000);
    expect(shareOf(projector).state).toBe('live');
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test('an empty store in the place of a live generation is lost, not filled anew', async () => {
    const site = new GameSite();
    const first = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(500);
    await first.stop();
    site.database.lose(1);
    const second = site.start([gameProjection()]);
    await site.clock.advance(5_000);
    expect(shareOf(second).state).toBe('lost');
    expect(site.database.generations).toEqual([]);
    await second.stop();
  });

  test('an unknown event type halts it there, with the event named; what comes before is applied', async () => {
    const site = new GameSite();
    await site.score('ann', 1);
    const unknown = await site.stumble('ann');
    await site.score('ann', 2);
    const projection = gameProjection();
    const fewer = new EventTypes([]);
    const projector = site.start([
      {
        ...projection,
        decode: async (events, cipher) => {
          const known = events.findIndex(({ type }) => type === 'stumbled');
          if (known >= 0) await fewer.decode(events.slice(known, known + 1), cipher);
          return projection.decode(events, cipher);
        },
      },
    ]);
    await site.clock.advance(1_000);
    expect(shareOf(projector)).toMatchObject({
      state: 'halted',
      detail: expect.stringContaining(`unknown-type: event ${unknown}`),
    });
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":1,"games":1}']);
    await projector.stop();
  });

  test('with halt a failing event stops its partition only, and goes on once it can be applied', async () => {
    const site = new GameSite({ partitions: 4 });
    const trouble = { stumbles: true };
    const projector = site.start([gameProjection({ onFailure: 'halt' }, trouble)]);
    for (let player = 0; player < 12; player += 1) await site.score(`p${player}`, 1);
    await site.clock.advance(100);
    await site.stumble('p0');
    for (let player = 0; player < 12; player += 1) await site.score(`p${player}`, 1);
    await site.clock.advance(3_000);
    const { totals = [] } = await site.rows(1);
    expect(totals).toContain('{"player":"p0","points":1,"games":1}');
    expect(totals.filter((row) => row.includes('"games":2')).length).toBeGreaterThan(4);
    expect(shareOf(projector)).toMatchObject({
      state: 'halted',
      detail: expect.stringContaining('stumbled over nothing'),
    });
    trouble.stumbles = false;
    await site.clock.advance(40_000);
    expect(shareOf(projector).state).toBe('live');
    expect((await site.rows(1)).totals).toContain('{"player":"p0","points":1,"games":1}');
    expect((await site.rows(1)).games).toHaveLength(24);
    await projector.stop();
  });

  test('a halted partition is tried again also where the clock was set back', async () => {
    const site = new GameSite();
    const trouble = { stumbles: true };
    const projector = site.start([gameProjection({ onFailure: 'halt' }, trouble)]);
    await site.stumble('ann');
    await site.clock.advance(3_000);
    expect(shareOf(projector).state).toBe('halted');
    trouble.stumbles = false;
    site.clock.jump(-6 * 3_600_000);
    await site.clock.advance(40_000);
    expect(shareOf(projector).state).toBe('live');
    await projector.stop();
  });

  test('a generation of another version is not touched', async () => {
    const site = new GameSite();
    const newer = site.start([gameProjection({ version: 2 })]);
    await site.score('ann', 1);
    await site.clock.advance(500);
    await newer.stop();
    const before = await site.rows(1);
    await site.score('ann', 1);
    const told: string[] = [];
    const older = site.start([gameProjection({ version: 1 })], {
      onLeftAlone: (projection, detail) => told.push(`${projection}: ${detail}`),
    });
    await site.clock.advance(5_000);
    expect(older.status()).toEqual([
      {
        projection: 'game',
        generation: 1,
        isLive: true,
        kind: 'version-mismatch',
        version: 2,
        codeVersion: 1,
        workers: 1,
      },
    ]);
    expect(await site.rows(1)).toEqual(before);
    // Once, though other generations come meanwhile.
    const made = 'the read model was made by version 2, this program has version 1';
    expect(told).toEqual([`game: g1 is live and not followed: ${made}: use a newer program`]);
    const again = site.operation(gameProjection({ version: 2 }));
    expect(await site.clock.until(rebuild(again))).toMatchObject({ kind: 'rebuilt' });
    await site.clock.advance(5_000);
    expect(told).toHaveLength(1);
    await older.stop();
  });

  test('follows a rebuilt generation beside the live one, and stops when it is dropped', async () => {
    const site = new GameSite();
    const projector = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(100);
    const operation = site.operation(gameProjection());
    expect(await site.clock.until(rebuild(operation))).toMatchObject({ kind: 'rebuilt' });
    await site.score('ann', 2);
    await site.clock.advance(2_000);
    expect(await site.rows(2)).toEqual(await site.rows(1));
    expect(shareOf(projector, 2).state).toBe('live');
    expect(await site.clock.until(drop({ ...operation, generation: 2 }))).toMatchObject({
      kind: 'dropped',
    });
    await site.clock.advance(2_000);
    expect(projector.status().map(({ generation }) => generation)).toEqual([1]);
    expect(site.database.generations).toEqual([1]);
    await projector.stop();
  });

  test('stops without losing what it has committed, and goes on from there', async () => {
    const site = new GameSite();
    for (let round = 0; round < 10; round += 1) {
      const projector = site.start([gameProjection()]);
      await site.score('ann', round);
      await site.clock.advance(round);
      await projector.stop();
    }
    const last = site.start([gameProjection()]);
    await site.clock.advance(2_000);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await last.stop();
  });
});
