import { describe, expect, test } from 'vitest';
import { readControl } from '../generations/control-stream.ts';
import { liveGeneration } from '../generations/state.ts';
import { GameSite, gameProjection } from '../testing/game.ts';
import { drop, promote, rollback } from './flip.ts';
import { rebuild } from './rebuild.ts';
import { verify } from './verify.ts';

const projection = gameProjection();

async function rebuiltSite() {
  const site = new GameSite();
  const projector = site.start([projection]);
  for (let round = 0; round < 10; round += 1) await site.score(`p${round % 3}`, round);
  await site.clock.advance(500);
  await site.clock.until(rebuild(site.operation(projection)));
  await site.clock.advance(1_500);
  return { site, projector, operation: site.operation(projection) };
}

async function liveOf(site: GameSite): Promise<number | undefined> {
  return liveGeneration((await readControl(site.log, 'game')).state);
}

describe('promote and rollback', () => {
  test('make another generation live, in one event, and every directory sees it', async () => {
    const { site, projector, operation } = await rebuiltSite();
    const seen: (number | undefined)[] = [];
    const unlisten = projector.directory.onChange((name) => {
      seen.push(projector.directory.live(name)?.generation);
    });
    expect(await site.clock.until(promote(operation))).toEqual({
      kind: 'promoted',
      generation: 2,
      previous: 1,
      verdict: 'never-verified',
      canGoBack: true,
    });
    await site.clock.advance(10);
    expect(projector.directory.live('game')?.generation).toBe(2);
    expect(await site.clock.until(rollback(operation))).toMatchObject({
      kind: 'rolled-back',
      generation: 1,
      previous: 2,
    });
    await site.clock.advance(10);
    unlisten();
    // Never none, never another one in between.
    expect(seen).toEqual([2, 1]);
    expect(await site.clock.until(rollback(operation))).toMatchObject({ reason: 'nothing-before' });
    expect(await site.clock.until(promote({ ...operation, generation: 2 }))).toMatchObject({
      kind: 'promoted',
      generation: 2,
      previous: 1,
    });
    await projector.stop();
  });

  test('a reader that switches never goes back, while appends go on', async () => {
    const { site, projector, operation } = await rebuiltSite();
    let running = true;
    const appending = (async () => {
      for (let round = 0; running; round += 1) {
        await site.score(`p${round % 3}`, 1);
        await site.clock.sleep(3);
      }
    })();
    const totals: number[] = [];
    const reading = (async () => {
      while (running) {
        const live = projector.directory.live('game')?.generation ?? 0;
        const rows = [...(site.database.get(live)?.tables.get('totals')?.values() ?? [])];
        totals.push(rows.reduce((sum, row) => sum + (row.points as number), 0));
        await site.clock.sleep(1);
      }
    })();
    await site.clock.advance(100);
    for (const flip of [promote, rollback]) {
      expect((await site.clock.until(flip(operation))).kind).not.toBe('behind');
      await site.clock.advance(200);
    }
    running = false;
    await site.clock.advance(100);
    await Promise.all([appending, reading]);
    expect(totals.length).toBeGreaterThan(100);
    expect(totals).toEqual(totals.toSorted((a, b) => a - b));
    expect(totals.at(-1)).toBeGreaterThan(totals[0]!);
    await projector.stop();
  });

  test('without a projector the generation is brought up to the live one first', async () => {
    const { site, projector, operation } = await rebuiltSite();
    await projector.stop();
    // Only g1 is kept up to date, as by a projector that knew no g2.
    await site.score('late', 5);
    const other = site.database.get(2)!;
    const single = site.start([projection]);
    site.database.lose(2);
    await site.clock.advance(1_500);
    await single.stop();
    site.database.set(2, other);
    expect((await site.rows(2)).totals).not.toEqual(await site.naiveTotals());
    expect(await site.clock.until(promote(operation))).toMatchObject({ kind: 'promoted' });
    expect((await site.rows(2)).totals).toEqual(await site.naiveTotals());
  });

  test('a generation that does not come to the live one is not promoted', async () => {
    const { site, projector, operation } = await rebuiltSite();
    const other = site.database.get(2)!;
    site.database.lose(2);
    await site.score('late', 5);
    await site.clock.advance(1_500);
    await projector.stop();
    site.database.set(2, other);
    const opened = await site.openStore().open(2);
    if (opened === 'lost') throw new Error('lost');
    const stop = new AbortController();
    const holding = (async () => {
      while (!stop.signal.aborted) {
        await opened.acquire(0, 'stuck', site.clock.now(), 4_000);
        await site.clock.sleep(1_000, stop.signal);
      }
    })();
    const outcome = await site.clock.until(promote({ ...operation, waitMs: 5_000 }));
    expect(outcome).toMatchObject({ kind: 'behind', generation: 2 });
    expect(await liveOf(site)).toBe(1);
    stop.abort();
    await holding;
  });

  test('what makes no sense is refused, and changes nothing', async () => {
    const { site, projector, operation } = await rebuiltSite();
    const before = (await readControl(site.log, 'game')).head;
    const reasons: unknown[] = [];
    const note = async (outcome: Promise<{ kind: string; reason?: string }>) => {
      const { kind, reason } = await site.clock.until(outcome);
      reasons.push(kind === 'refused' ? reason : kind);
    };
    await note(promote({ ...operation, generation: 1 }));
    await note(promote({ ...operation, generation: 9 }));
    await note(promote({ ...operation, projection: gameProjection({ version: 2 }) }));
    await note(drop({ ...operation, generation: 1 }));
    await note(drop({ ...operation, generation: 9 }));
    await note(rollback(operation));
    expect((await readControl(site.log, 'game')).head).toBe(before);
    const until = { time: site.clock.now() };
    await site.clock.until(rebuild({ ...operation, until }));
    await note(promote({ ...operation, generation: 3 }));
    await site.clock.until(rebuild({ ...operation, signal: AbortSignal.abort() }));
    await note(promote({ ...operation, generation: 4 }));
    await note(drop({ ...operation, generation: 2 }));
    await note(drop({ ...operation, generation: 2 }));
    await note(promote({ ...operation, generation: 2 }));
    expect(reasons).toEqual([
      'already-live',
      'no-such-generation',
      'other-version',
      'live',
      'no-such-generation',
      'nothing-before',
      'frozen',
      'not-rebuilt',
      'dropped',
      'dropped',
      'dropped',
    ]);
    expect(await liveOf(site)).toBe(1);
    await projector.stop();
  });

  test('a generation that was found different is not made live unless told so, by promote or by rollback', async () => {
    const { site, projector, operation } = await rebuiltSite();
    const spoil = (generation: number) => {
      const rows = site.database.get(generation)?.tables.get('totals');
      for (const [key, row] of rows ?? []) rows?.set(key, { ...row, points: 77 });
    };
    const despite = { ...operation, despiteDifferences: true };
    spoil(2);
    const found = await site.clock.until(verify(operation));
    expect(found).toMatchObject({ kind: 'different', generation: 2 });
    expect(await site.clock.until(promote(operation))).toEqual({
      kind: 'refused',
      reason: 'found-different',
      generation: 2,
      detail:
        'the last verification of game g2 found differences from g1: compare it with the log itself',
    });
    expect(await liveOf(site)).toBe(1);
    expect(await site.clock.until(promote(despite))).toMatchObject({
      kind: 'promoted',
      verdict: 'found-different',
    });
    // The one that was live before is looked at only now, and is wrong as well.
    spoil(1);
    await site.clock.until(verify({ ...operation, generation: 1, refold: true }));
    expect(await site.clock.until(rollback(operation))).toEqual({
      kind: 'refused',
      reason: 'found-different',
      generation: 1,
      detail: 'the last verification of game g1 found differences: rebuild',
    });
    expect(await liveOf(site)).toBe(2);
    expect(await site.clock.until(rollback(despite))).toMatchObject({ kind: 'rolled-back' });
    expect(await liveOf(site)).toBe(1);
    await projector.stop();
  });

  test('the last verification counts, not one before it', async () => {
    const { site, projector, operation } = await rebuiltSite();
    const rows = site.database.get(1)?.tables.get('totals');
    const before = [...(rows ?? [])];
    for (const [key, row] of before) rows?.set(key, { ...row, points: 77 });
    // It is the live one that is wrong: only a second fold of the log can tell.
    await site.clock.until(verify(operation));
    expect(await site.clock.until(promote(operation))).toMatchObject({ reason: 'found-different' });
    await site.clock.until(verify({ ...operation, refold: true }));
    expect(await site.clock.until(promote(operation))).toMatchObject({
      kind: 'promoted',
      verdict: 'found-same',
      canGoBack: true,
    });
    await projector.stop();
  });

  test('a promote tells whether a rollback would undo it', async () => {
    const { site, projector, operation } = await rebuiltSite();
    await site.clock.until(verify({ ...operation, generation: 1, refold: true }));
    site.database.lose(1);
    expect(await site.clock.until(promote(operation))).toMatchObject({
      kind: 'promoted',
      previous: 1,
      canGoBack: false,
    });
    expect(await site.clock.until(rollback(operation))).toMatchObject({ reason: 'lost' });
    // Nor where the one before is there and was found different.
    await site.clock.until(rebuild(operation));
    const rows = site.database.get(2)?.tables.get('totals');
    for (const [key, row] of rows ?? []) rows?.set(key, { ...row, points: 77 });
    await site.clock.until(verify({ ...operation, generation: 2, refold: true }));
    expect(await site.clock.until(promote(operation))).toMatchObject({
      previous: 2,
      canGoBack: false,
    });
    await projector.stop();
  });

  test('a lost generation is not promoted', async () => {
    const { site, projector, operation } = await rebuiltSite();
    site.database.lose(2);
    expect(await site.clock.until(promote(operation))).toMatchObject({ reason: 'lost' });
    expect(await liveOf(site)).toBe(1);
    await projector.stop();
  });
});
