import { describe, expect, test } from 'vitest';
import { memoryProjectionStore, type StoreFault } from '../memory-projection-store.ts';
import type { Projection } from '../projection.ts';
import { GameSite, gameProjection } from '../testing/game.ts';

const commitsMax = 1_000;

/** A site whose store keeps the answers to commits back for as long as `holdBack` has not been let go. */
function slowSite() {
  const site = new GameSite();
  let wait: Promise<void> = Promise.resolve();
  let commits = 0;
  const store = memoryProjectionStore({
    clock: site.clock,
    database: site.database,
    faults: async (operation): Promise<StoreFault> => {
      if (operation !== 'commit') return 'none';
      commits += 1;
      // A loop that never waits would stop the test, too.
      if (commits > commitsMax) await new Promise(() => undefined);
      await wait;
      return 'none';
    },
  });
  let decoded = 0;
  let decodes: 'all' | 'nothing' = 'all';
  const plain = gameProjection();
  const projection: Projection = {
    ...plain,
    decode: (events, cipher) => {
      if (decodes === 'nothing') throw new Error('the keys cannot be read');
      decoded += events.length;
      return plain.decode(events, cipher);
    },
  };
  const holdBack = () => {
    let letGo = () => {};
    wait = new Promise((resolve) => {
      letGo = resolve;
    });
    return () => letGo();
  };
  const start = () => site.start([projection], { storeFor: () => store });
  const decode = (what: typeof decodes) => {
    decodes = what;
  };
  return { site, store, start, holdBack, decode, commits: () => commits, decoded: () => decoded };
}

describe('while a batch is on its way into the store', () => {
  test('what comes is folded, and goes as one batch when the store has the one before', async () => {
    const { site, start, holdBack, commits, decoded } = slowSite();
    const projector = start();
    await site.score('ann', 1);
    await site.clock.advance(100);
    const before = { commits: commits(), decoded: decoded() };
    const letGo = holdBack();
    for (let points = 1; points <= 5; points += 1) {
      await site.score('ann', points);
      await site.clock.advance(10);
    }
    expect(decoded() - before.decoded).toBe(5);
    expect(commits() - before.commits).toBe(1);
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":1,"games":1}']);
    letGo();
    await site.clock.advance(100);
    expect(commits() - before.commits).toBe(2);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test('what was folded on top of it is forgotten when the store does not take it', async () => {
    const { site, start, holdBack } = slowSite();
    const projector = start();
    await site.score('ann', 1);
    await site.clock.advance(100);
    const older = site.database.backup();
    await site.score('ann', 2);
    await site.clock.advance(100);
    const letGo = holdBack();
    await site.score('ann', 4);
    await site.clock.advance(10);
    await site.score('ann', 8);
    await site.clock.advance(10);
    site.database.restore(older);
    letGo();
    await site.clock.advance(5_000);
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":15,"games":4}']);
    await projector.stop();
  });

  test('a stop waits for the answer, and whoever goes on misses nothing', async () => {
    const { site, start, holdBack } = slowSite();
    const projector = start();
    await site.score('ann', 1);
    await site.clock.advance(100);
    const letGo = holdBack();
    await site.score('ann', 2);
    await site.clock.advance(10);
    await site.score('ann', 4);
    await site.clock.advance(10);
    const stopped = projector.stop();
    letGo();
    await stopped;
    const next = start();
    await site.clock.advance(5_000);
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":7,"games":3}']);
    await next.stop();
  });

  test('a session that fails lets go of it, held or not', async () => {
    const { site, store, start, decode, commits } = slowSite();
    const projector = start();
    await site.score('ann', 1);
    await site.clock.advance(100);
    const generation = await store.open(1);
    if (generation === 'lost') throw new Error('it is lost');
    await generation.hold(await generation.checkpoint(), site.clock.now() + 10_000);
    await site.score('ann', 2);
    await site.clock.advance(10);
    decode('nothing');
    await site.score('ann', 4);
    await site.clock.advance(1_000);
    expect(commits()).toBeLessThan(commitsMax);
    decode('all');
    await generation.unhold();
    await site.clock.advance(5_000);
    expect((await site.rows(1)).totals).toEqual(['{"player":"ann","points":7,"games":3}']);
    await projector.stop();
  });
});
