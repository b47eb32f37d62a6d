import { encodeCheckpoint } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { readControl } from '../generations/control-stream.ts';
import { MemoryProjectionDatabase, memoryProjectionStore } from '../memory-projection-store.ts';
import type { Row } from '../projection.ts';
import { GameSite, gameProjection, type ProjectorProcess } from '../testing/game.ts';
import { promote } from './flip.ts';
import { rebuild } from './rebuild.ts';
import { projectionStatus } from './status.ts';
import { type VerifyOutcome, verify } from './verify.ts';

const projection = gameProjection();

/** A live g1 that a projector follows, and a rebuilt g2 beside it. */
async function rebuiltSite(): Promise<{ site: GameSite; projector: ProjectorProcess }> {
  const site = new GameSite({ partitions: 3 });
  const projector = site.start([projection]);
  for (let round = 0; round < 40; round += 1) await site.score(`p${round % 9}`, round);
  await site.clock.advance(500);
  const rebuilt = await site.clock.until(rebuild({ ...site.operation(projection), workers: 2 }));
  expect(rebuilt.kind).toBe('rebuilt');
  await site.clock.advance(1_500);
  return { site, projector };
}

/** Changes a row behind the store's back, as a bug or a failing disk would. */
function tamper(site: GameSite, generation: number, change: (rows: Map<string, Row>) => void) {
  const rows = site.database.get(generation)?.tables.get('totals');
  if (!rows) throw new Error('there are no totals');
  change(rows);
}

function reportOf(outcome: VerifyOutcome) {
  if (outcome.kind === 'refused' || outcome.kind === 'not-reached') throw new Error(outcome.detail);
  return outcome;
}

describe('verify', () => {
  test('equal generations: counts and hashes of every table, recorded in the log', async () => {
    const { site, projector } = await rebuiltSite();
    const outcome = reportOf(await site.clock.until(verify(site.operation(projection))));
    expect(outcome).toMatchObject({
      kind: 'verified',
      generation: 2,
      against: 1,
      differences: [],
      problems: [],
      parked: 0,
      otherParked: 0,
    });
    expect(outcome.tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['totals', 9],
      ['games', 40],
    ]);
    expect(outcome.tables).toEqual(outcome.otherTables);
    expect(outcome.tables.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash))).toBe(true);
    const { state } = await readControl(site.log, 'game');
    expect(state.generations.get(2)?.verified).toMatchObject({
      same: true,
      against: 1,
      checkpoint: encodeCheckpoint(outcome.checkpoint),
    });
    await projector.stop();
  });

  test('while appends go on both come to one checkpoint, and go on afterwards', async () => {
    const { site, projector } = await rebuiltSite();
    let appended = 0;
    let running = true;
    const appending = (async () => {
      while (running) {
        await site.score(`p${appended % 9}`, 1);
        appended += 1;
        await site.clock.sleep(7);
      }
    })();
    for (let round = 0; round < 5; round += 1) {
      const outcome = reportOf(await site.clock.until(verify(site.operation(projection))));
      expect(outcome.kind).toBe('verified');
      await site.clock.advance(300);
    }
    running = false;
    await site.clock.advance(3_000);
    await appending;
    expect(appended).toBeGreaterThan(100);
    for (const generation of [1, 2]) {
      expect((await site.rows(generation)).totals).toEqual(await site.naiveTotals());
    }
    await projector.stop();
  });

  test('a difference is shown row by row, from both sides', async () => {
    const { site, projector } = await rebuiltSite();
    tamper(site, 2, (rows) => {
      for (const [key, row] of rows) {
        if (row.player === 'p1') rows.set(key, { ...row, points: 7 });
        if (row.player === 'p5') rows.delete(key);
      }
    });
    tamper(site, 1, (rows) => {
      for (const [key, row] of rows) if (row.player === 'p8') rows.delete(key);
    });
    const outcome = reportOf(await site.clock.until(verify(site.operation(projection))));
    expect(outcome.kind).toBe('different');
    expect(
      outcome.differences.map(({ key, row, other }) => [key[0], row?.points, other?.points]),
    ).toEqual([
      ['p1', 7, expect.any(Number)],
      ['p5', undefined, expect.any(Number)],
      ['p8', expect.any(Number), undefined],
    ]);
    const few = await site.clock.until(
      verify({ ...site.operation(projection), differencesMax: 2 }),
    );
    expect(reportOf(few).differences).toHaveLength(2);
    const { state } = await readControl(site.log, 'game');
    expect(state.generations.get(2)?.verified?.same).toBe(false);
    await projector.stop();
  });

  test('without a projector it brings both to the checkpoint itself', async () => {
    const { site, projector } = await rebuiltSite();
    await projector.stop();
    for (let round = 0; round < 10; round += 1) await site.score('late', 1);
    const outcome = reportOf(await site.clock.until(verify(site.operation(projection))));
    expect(outcome.kind).toBe('verified');
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    expect((await site.rows(2)).totals).toEqual(await site.naiveTotals());
  });

  test('with the live generation lost it says so, and a second fold from the log proves the new one', async () => {
    const { site, projector } = await rebuiltSite();
    site.database.lose(1);
    const proven = reportOf(await site.clock.until(verify(site.operation(projection))));
    expect(proven).toMatchObject({
      kind: 'verified',
      against: 'refold',
      notCompared: 'live-lost',
    });
    expect(proven.otherTables).toEqual(proven.tables);
    const refolded = { ...site.operation(projection), refold: true };
    expect((await site.clock.until(verify(refolded))).kind).toBe('verified');
    tamper(site, 2, (rows) => rows.clear());
    expect((await site.clock.until(verify(refolded))).kind).toBe('different');
    await projector.stop();
  });

  test('the second fold goes to the store it is given, which is removed whatever comes of it', async () => {
    const { site, projector } = await rebuiltSite();
    site.database.lose(1);
    const folded: (readonly number[])[] = [];
    const scratch = () => {
      const database = new MemoryProjectionDatabase();
      const store = memoryProjectionStore({ clock: site.clock, database });
      return { store, remove: async () => void folded.push(database.generations) };
    };
    const operation = { ...site.operation(projection), scratch };
    const proven = reportOf(await site.clock.until(verify(operation)));
    expect(proven).toMatchObject({ kind: 'verified', against: 'refold' });
    expect(folded).toEqual([[2]]);

    const strange = { ...projection, decode: () => Promise.reject(new Error('no key')) };
    const stop = new AbortController();
    const failing = verify({
      ...operation,
      projection: strange,
      refold: true,
      signal: stop.signal,
    });
    await site.clock.advance(1_000);
    stop.abort();
    expect(await site.clock.until(failing)).toMatchObject({ kind: 'not-reached' });
    expect(folded).toEqual([[2], [2]]);
    await projector.stop();
  });

  test('a generation that cannot come to the checkpoint is not judged, and the other goes on', async () => {
    const { site, projector } = await rebuiltSite();
    await projector.stop();
    // Somebody holds the work of g2 and does nothing.
    const opened = await site.openStore().open(2);
    if (opened === 'lost') throw new Error('lost');
    const stop = new AbortController();
    const holding = (async () => {
      while (!stop.signal.aborted) {
        for (const worker of [0, 1]) await opened.acquire(worker, 'stuck', site.clock.now(), 4_000);
        await site.clock.sleep(1_000, stop.signal);
      }
    })();
    await site.score('late', 1);
    const options = { ...site.operation(projection), holdMs: 2_000 };
    expect(await site.clock.until(verify(options))).toMatchObject({
      kind: 'not-reached',
      generation: 2,
    });
    stop.abort();
    await holding;
    const next = site.start([projection]);
    await site.clock.advance(5_000);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await next.stop();
  });

  test('what cannot be verified is refused', async () => {
    const site = new GameSite();
    const projector = site.start([projection]);
    await site.score('ann', 1);
    await site.clock.advance(500);
    const operation = site.operation(projection);
    const reasons = [];
    for (const options of [operation, { ...operation, generation: 7 }]) {
      const outcome = await site.clock.until(verify(options));
      reasons.push(outcome.kind === 'refused' && outcome.reason);
    }
    await site.clock.until(rebuild({ ...operation, signal: AbortSignal.abort() }));
    const unfinished = await site.clock.until(verify({ ...operation, generation: 2 }));
    await site.clock.until(rebuild(operation));
    site.database.lose(2);
    const lost = await site.clock.until(verify(operation));
    const other = await site.clock.until(
      verify({ ...site.operation(gameProjection({ version: 2 })), generation: 1 }),
    );
    for (const one of [unfinished, lost, other]) {
      reasons.push(one.kind === 'refused' && one.reason);
    }
    expect(reasons).toEqual([
      'no-generation',
      'no-such-generation',
      'not-rebuilt',
      'lost',
      'other-version',
    ]);
    // The live one can be checked for itself.
    const live = await site.clock.until(verify({ ...operation, generation: 1, refold: true }));
    expect(live).toMatchObject({ kind: 'verified', generation: 1, against: 'refold' });
    await projector.stop();
  });
});

describe('the drill: the read model is lost, rebuilt, verified and promoted', () => {
  test('not one row differs, and status tells each step', async () => {
    const { site, projector } = await rebuiltSite();
    const operation = site.operation(projection);
    const before = await site.rows(1);
    site.database.lose(1);
    site.database.lose(2);
    await site.clock.advance(1_100);
    const lost = await site.clock.until(projectionStatus(operation));
    expect(lost).toMatchObject({
      live: 1,
      generations: [
        { generation: 1, kind: 'lost', isLive: true },
        { generation: 2, kind: 'lost', isLive: false },
      ],
    });
    expect(await site.clock.until(rebuild(operation))).toMatchObject({ generation: 3 });
    expect(await site.clock.until(verify(operation))).toMatchObject({
      kind: 'verified',
      generation: 3,
      notCompared: 'live-lost',
    });
    expect(await site.clock.until(promote(operation))).toMatchObject({
      kind: 'promoted',
      generation: 3,
      previous: 1,
      verdict: 'found-same',
    });
    await site.clock.advance(1_500);
    expect(await site.rows(3)).toEqual(before);
    const healed = await site.clock.until(projectionStatus(operation));
    expect(healed.generations.at(-1)).toMatchObject({
      generation: 3,
      kind: 'followed',
      workedOnBy: ['projector-1'],
      isLive: true,
      parked: 0,
      behind: { events: 0, orMore: false, ms: 0 },
    });
    await projector.stop();
  });
});
