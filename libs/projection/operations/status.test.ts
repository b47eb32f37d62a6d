import { expect, test } from 'vitest';
import { memoryProjectionStore } from '../memory-projection-store.ts';
import { GameSite, gameProjection } from '../testing/game.ts';
import { drop } from './flip.ts';
import { rebuild } from './rebuild.ts';
import { projectionStatus } from './status.ts';

const game = gameProjection();

/** A live generation, and a rebuild that an event has stopped half way. */
async function halfRebuilt(): Promise<GameSite> {
  const site = new GameSite();
  const projector = site.start([game]);
  await site.clock.advance(2_000);
  for (let n = 0; n < 6; n += 1) await site.score(`p${n}`, 1);
  await site.stumble('p1');
  await site.clock.advance(2_000);
  await projector.stop();
  const halted = await site.clock.until(rebuild(site.operation(game)));
  expect(halted).toMatchObject({ kind: 'halted', generation: 2 });
  return site;
}

test('a generation that is being built is looked at without a snapshot, which would disturb it', async () => {
  const site = await halfRebuilt();
  const snapshots: number[] = [];
  const store = memoryProjectionStore({
    clock: site.clock,
    database: site.database,
    faults: (operation, generation) => {
      if (operation === 'snapshot') snapshots.push(generation);
      return 'none';
    },
  });
  const { generations } = await projectionStatus({ ...site.operation(game), store });
  expect(snapshots).toEqual([1]);
  expect(generations).toMatchObject([
    { generation: 1, kind: 'followed', parked: 1 },
    {
      generation: 2,
      kind: 'building',
      parked: undefined,
      checkpoint: await site.checkpoint(2),
      behind: { events: 1, orMore: false },
    },
  ]);
});

/** The status, where `meanwhile` happens to the half made g2 between its opening and the first look into it. */
async function statusWhile(site: GameSite, meanwhile: () => Promise<unknown>) {
  let happened: Promise<unknown> | undefined;
  const store = memoryProjectionStore({
    clock: site.clock,
    database: site.database,
    faults: async (operation, generation) => {
      if (generation === 2 && operation !== 'open') {
        happened ??= meanwhile();
        await happened;
      }
      return 'none' as const;
    },
  });
  const { generations } = await site.clock.until(
    projectionStatus({ ...site.operation(game), store }),
  );
  expect(happened).toBeDefined();
  return generations.map(({ generation, kind, lost }) => ({ generation, kind, lost }));
}

test('a generation that is dropped while it is looked at is not shown, and no failure', async () => {
  const site = await halfRebuilt();
  const dropping = () => drop({ ...site.operation(game, 'other'), generation: 2 });
  expect(await statusWhile(site, dropping)).toEqual([
    { generation: 1, kind: 'followed', lost: undefined },
  ]);
});

test('a generation whose store goes while it is looked at is lost', async () => {
  const site = await halfRebuilt();
  const losing = async () => site.database.lose(2);
  expect(await statusWhile(site, losing)).toEqual([
    { generation: 1, kind: 'followed', lost: undefined },
    { generation: 2, kind: 'lost', lost: expect.stringContaining('game g2') },
  ]);
});
