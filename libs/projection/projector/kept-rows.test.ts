import { expect, test } from 'vitest';
import { foldLimits } from '../fold.ts';
import { memoryProjectionStore } from '../memory-projection-store.ts';
import { rebuild } from '../operations/rebuild.ts';
import type { GenerationStore, ProjectionStore } from '../store.ts';
import { GameSite, gameProjection } from '../testing/game.ts';

/** A site whose store says how many rows are to be kept in memory, and counts those that are loaded from it. */
function countingSite(keptRowsMax: number | undefined, batchRowsMax?: number) {
  const site = new GameSite();
  const { clock, database } = site;
  const plain = memoryProjectionStore({ clock, database });
  let loaded = 0;
  const counting = (generation: GenerationStore): GenerationStore =>
    new Proxy(generation, {
      get: (target, name) => {
        if (name === 'keptRowsMax') return keptRowsMax;
        if (name === 'batchRowsMax') return batchRowsMax;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name === 'load') {
          return (keys: readonly unknown[]) => {
            loaded += keys.length;
            return value.call(target, keys);
          };
        }
        return value.bind(target);
      },
    });
  const store: ProjectionStore = {
    create: (spec) => plain.create(spec),
    open: async (generation) => {
      const opened = await plain.open(generation);
      return opened === 'lost' ? 'lost' : counting(opened);
    },
    drop: (generation) => plain.drop(generation),
    close: () => plain.close(),
  };
  const loadedIn = async (during: () => Promise<void>) => {
    const before = loaded;
    await during();
    return loaded - before;
  };
  return { site, store, loadedIn };
}

const players = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay'];

async function roundOf(site: GameSite): Promise<void> {
  for (const player of players) {
    await site.score(player, 1);
    await site.clock.advance(100);
  }
}

test.each([
  [2, players.length],
  [2 * players.length, 0],
  [undefined, 0],
])('a projector that follows keeps as many rows as the store says: %s', async (rows, again) => {
  const { site, store, loadedIn } = countingSite(rows);
  const projector = site.start([gameProjection()], { storeFor: () => store });
  await site.clock.advance(100);
  await roundOf(site);
  expect(await loadedIn(() => roundOf(site))).toBe(again);
  expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
  await projector.stop();
});

test('a rebuild keeps no more than it does of any store', async () => {
  const { site, store, loadedIn } = countingSite(2, 2);
  expect(foldLimits.rowsMax).toBeGreaterThan(players.length);
  for (let round = 0; round < 3; round += 1)
    for (const player of players) await site.score(player, 1);
  const loaded = await loadedIn(async () => {
    const outcome = await rebuild({ ...site.operation(gameProjection()), store });
    expect(outcome.kind).toBe('rebuilt');
  });
  expect(loaded).toBe(0);
});
