import { describe, expect, test } from 'vitest';
import { promote } from '../operations/flip.ts';
import { rebuild } from '../operations/rebuild.ts';
import { projectionStatus } from '../operations/status.ts';
import { verify } from '../operations/verify.ts';
import { GameSite, gameProjection, type ProjectorProcess } from '../testing/game.ts';

const game = gameProjection();

async function filledSite(scores: number): Promise<GameSite> {
  const site = new GameSite();
  const projector = site.start([game]);
  await site.clock.advance(2_000);
  for (let n = 0; n < scores; n += 1) await site.score(`p${n % 3}`, 1);
  await site.clock.advance(2_000);
  await projector.stop();
  return site;
}

/** The read models of one site under the log of another, which has a first generation, too. */
async function siteWithStoreOf(former: GameSite, scores: number): Promise<GameSite> {
  const made = new GameSite();
  // Somebody else, some other time.
  await made.clock.advance(1_234);
  const first = made.start([game]);
  await made.clock.advance(2_000);
  await first.stop();
  const site = new GameSite({ storage: made.log.storage }, former.database);
  for (let n = 0; n < scores; n += 1) await site.score(`q${n % 3}`, 5);
  return site;
}

function shareOf(projector: ProjectorProcess, generation: number) {
  const status = projector.status().find((one) => one.generation === generation);
  return status?.kind === 'followed' ? status.shares[0] : undefined;
}

describe('a log that was put in the place of another one, under its read models', () => {
  test('finds them lost: nothing is folded onto them', async () => {
    const former = await filledSite(9);
    const rows = await former.rows(1);
    const site = await siteWithStoreOf(former, 20);
    const projector = site.start([game]);
    await site.clock.advance(10_000);
    expect(shareOf(projector, 1)).toMatchObject({
      state: 'lost',
      detail:
        'the store of game g1 was made from another log than this one: run annals rebuild game',
    });
    expect(await site.rows(1)).toEqual(rows);
    await projector.stop();
  });

  test('status says why, and rebuild, verify and promote bring what the log says', async () => {
    const site = await siteWithStoreOf(await filledSite(9), 20);
    const [g1] = (await projectionStatus(site.operation(game))).generations;
    expect(g1).toMatchObject({
      kind: 'lost',
      lost: 'the store of game g1 was made from another log than this one',
    });
    const projector = site.start([game]);
    const operation = site.operation(game);
    expect(await site.clock.until(rebuild(operation))).toMatchObject({
      kind: 'rebuilt',
      generation: 2,
    });
    expect(await site.clock.until(verify(operation))).toMatchObject({
      kind: 'verified',
      notCompared: 'live-lost',
    });
    expect(await site.clock.until(promote(operation))).toMatchObject({ kind: 'promoted' });
    expect((await site.rows(2)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test('an empty one gets a generation of its own beside them', async () => {
    const former = await filledSite(9);
    const site = new GameSite({}, former.database);
    const projector = site.start([game]);
    await site.clock.advance(2_000);
    await site.score('ann', 3);
    await site.clock.advance(2_000);
    expect(projector.directory.live('game')?.generation).toBe(2);
    expect((await site.rows(2)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test('an unfinished rebuild of the other log is not gone on with', async () => {
    const former = await filledSite(9);
    const own = await filledSite(0);
    await own.clock.advance(1_234);
    for (const site of [former, own]) {
      // It stops at this one, and both logs have an unfinished g2.
      await site.stumble('ann');
      const halted = await site.clock.until(rebuild(site.operation(game)));
      expect(halted).toMatchObject({ kind: 'halted', generation: 2 });
    }
    const site = new GameSite({ storage: own.log.storage }, former.database);
    for (let n = 0; n < 20; n += 1) await site.score(`q${n % 3}`, 5);
    const steady = site.operation(gameProjection({}, { stumbles: false }));
    expect(await site.clock.until(rebuild(steady))).toMatchObject({
      kind: 'rebuilt',
      generation: 3,
      resumed: false,
    });
    expect((await site.rows(3)).totals).toEqual(await site.naiveTotals());
  });
});
