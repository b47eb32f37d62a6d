import { describe, expect, test } from 'vitest';
import { memoryProjectionStore } from '../memory-projection-store.ts';
import { projectorLimits } from '../projector/share-work.ts';
import { GameSite, gameProjection } from '../testing/game.ts';
import { purge } from './purge.ts';
import { rebuild } from './rebuild.ts';
import { projectionStatus } from './status.ts';

const game = gameProjection({}, { stumbles: false });

/** A live g1, and whatever `more` makes; then events that stand for an erasure. */
async function erasedSite(more: (site: GameSite) => Promise<unknown> = async () => undefined) {
  const site = new GameSite();
  const projector = site.start([game]);
  await site.score('ann', 1);
  await site.clock.advance(2_000);
  await site.clock.until(more(site).then(() => undefined));
  await projector.stop();
  await site.score('bob', 1);
  const erased = await site.log.head();
  const ask = (generation: number, isAbandoned = (isWorkedOn: boolean) => !isWorkedOn) =>
    site.clock.until(purge({ ...site.operation(game, 'purger'), generation, erased, isAbandoned }));
  return { site, ask, erased };
}

async function generationsOf(site: GameSite) {
  const { generations } = await projectionStatus(site.operation(game));
  return generations.map(({ generation, kind }) => `g${generation} ${kind}`);
}

const cutOff = (site: GameSite) =>
  rebuild({ ...site.operation(game), signal: AbortSignal.abort() });

describe('purging a generation after an erasure', () => {
  test('one that goes on is purged once it has passed it', async () => {
    const { site, ask, erased } = await erasedSite();
    expect(await ask(1)).toEqual({ kind: 'behind' });
    const projector = site.start([game]);
    await site.clock.advance(2_000);
    expect(await ask(1)).toMatchObject({ kind: 'purged', checkpoint: erased });
    await projector.stop();
  });

  test('a point in time is dropped', async () => {
    const { site, ask } = await erasedSite(async (one) => {
      await rebuild({ ...one.operation(game), until: { time: one.clock.now() } });
    });
    expect(await ask(2)).toEqual({ kind: 'dropped' });
    expect(await ask(2)).toEqual({ kind: 'dropped' });
    expect(await generationsOf(site)).toEqual(['g1 followed']);
  });

  test('an unfinished rebuild that somebody works on is left alone, also by who asks for its lease', async () => {
    const { site, ask } = await erasedSite(cutOff);
    const opened = await site.openStore().open(2);
    if (opened === 'lost') throw new Error(opened);
    const lease = () =>
      opened.acquire(0, 'rebuilder', site.clock.now(), projectorLimits.leaseTtlMs);
    const first = await lease();
    expect(await ask(2)).toEqual({ kind: 'behind' });
    expect(await lease()).toEqual(first);
    expect(await generationsOf(site)).toEqual(['g1 followed', 'g2 building']);
  });

  test('an unfinished rebuild that nobody works on is dropped when it is given up', async () => {
    const { site, ask } = await erasedSite(cutOff);
    const asked: boolean[] = [];
    const patient = (isWorkedOn: boolean) => {
      asked.push(isWorkedOn);
      return false;
    };
    expect(await ask(2, patient)).toEqual({ kind: 'behind' });
    expect(asked).toEqual([false]);
    expect(await ask(2)).toEqual({ kind: 'dropped' });
    expect(await generationsOf(site)).toEqual(['g1 followed']);
  });

  test('one that goes while it is looked at is lost', async () => {
    const { site, erased } = await erasedSite();
    const store = memoryProjectionStore({
      clock: site.clock,
      database: site.database,
      faults: (operation, generation) => {
        if (operation === 'checkpoint') site.database.lose(generation);
        return 'none';
      },
    });
    const asked = { ...site.operation(game, 'purger'), store, generation: 1, erased };
    expect(await purge({ ...asked, isAbandoned: () => false })).toEqual({ kind: 'lost' });
  });

  test('one that is lost is said to be, and a live one of other code is left', async () => {
    const { site, ask, erased } = await erasedSite(cutOff);
    site.database.lose(2);
    expect(await ask(2)).toEqual({ kind: 'lost' });
    const newer = { ...site.operation({ ...game, version: 2 }, 'purger'), generation: 1, erased };
    const asked = purge({ ...newer, isAbandoned: () => true });
    expect(await site.clock.until(asked)).toEqual({ kind: 'live' });
  });
});
