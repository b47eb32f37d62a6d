import { encodeCheckpoint, memoryEventLog } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { readControl } from '../generations/control-stream.ts';
import { memoryProjectionStore, type StoreFault } from '../memory-projection-store.ts';
import { projectorLimits } from '../projector/share-work.ts';
import { GameSite, gameProjection } from '../testing/game.ts';
import { drop } from './flip.ts';
import { planRebuild } from './plan-rebuild.ts';
import { type RebuildOptions, rebuild } from './rebuild.ts';
import type { RebuildRequest } from './rebuild-request.ts';
import { projectionStatus } from './status.ts';

async function filledSite(options: { partitions?: number } = {}): Promise<GameSite> {
  const site = new GameSite(options);
  for (let round = 0; round < 60; round += 1) {
    await site.score(`p${round % 7}`, round);
    if (round % 5 === 0) await site.note();
    await site.clock.advance(10);
  }
  return site;
}

/** The plan of a rebuild, which writes nothing but a sample, and that elsewhere. */
async function planned(site: GameSite, request: RebuildRequest) {
  const scratch = memoryProjectionStore({ clock: site.clock });
  const before = (await readControl(site.log, 'game')).head;
  const { generations } = site.database;
  const plan = await site.clock.until(planRebuild({ ...request, scratch }));
  expect((await readControl(site.log, 'game')).head).toBe(before);
  expect(site.database.generations).toEqual(generations);
  if (plan.kind === 'refused') throw new Error(plan.detail);
  return plan;
}

describe('a rebuild', () => {
  test('fills the next generation, and twice gives the same rows', async () => {
    const site = await filledSite();
    const operation = site.operation(gameProjection());
    const first = await site.clock.until(rebuild(operation));
    const second = await site.clock.until(rebuild({ ...operation, workers: 3 }));
    expect([first, second]).toMatchObject([
      { kind: 'rebuilt', generation: 1, events: 60, resumed: false },
      { kind: 'rebuilt', generation: 2, events: 60, resumed: false },
    ]);
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    expect(await site.rows(2)).toEqual(await site.rows(1));
  });

  test('killed at any step it goes on from there, to the same rows', async () => {
    const site = await filledSite();
    const whole = await site.clock.until(rebuild(site.operation(gameProjection())));
    expect(whole.kind).toBe('rebuilt');
    const rows = await site.rows(1);
    let generation = 2;
    for (const fault of ['before', 'after'] as const) {
      for (let killedAt = 1; ; killedAt += 1) {
        const finishedFirst = await killedThenResumed(site, killedAt, fault);
        expect(await site.rows(generation)).toEqual(rows);
        generation += 1;
        if (finishedFirst) break;
      }
    }
    expect(generation).toBeGreaterThan(10);
  });

  /** Lets the process die at its n-th call of the store, then rebuilds in another one. True: it finished before it could die. */
  async function killedThenResumed(
    site: GameSite,
    killedAt: number,
    fault: StoreFault,
  ): Promise<boolean> {
    const { clock, database } = site;
    const stop = new AbortController();
    let calls = 0;
    const faults = () => {
      calls += 1;
      if (calls < killedAt) return 'none';
      stop.abort();
      return calls === killedAt ? fault : 'before';
    };
    const store = memoryProjectionStore({ clock, database, faults });
    const operation = site.operation(gameProjection(), `killed-${killedAt}-${fault}`);
    const died = await clock
      .until(rebuild({ ...operation, store, signal: stop.signal }))
      .catch((error: unknown) => error as Error);
    const finishedFirst = !(died instanceof Error) && died.kind === 'rebuilt';
    if (finishedFirst) return true;
    const next = site.operation(gameProjection(), `next-${killedAt}-${fault}`);
    expect(await clock.until(rebuild(next))).toMatchObject({ kind: 'rebuilt' });
    return false;
  }

  test('goes on with an unfinished generation of the same version only', async () => {
    const site = await filledSite();
    const operation = site.operation(gameProjection());
    const interrupted = await site.clock.until(
      rebuild({ ...operation, signal: AbortSignal.abort() }),
    );
    expect(interrupted).toMatchObject({ kind: 'interrupted', generation: 1 });
    const newer = site.operation(gameProjection({ version: 2 }));
    expect(await site.clock.until(rebuild(newer))).toMatchObject({
      kind: 'rebuilt',
      generation: 2,
      resumed: false,
    });
    expect(await site.clock.until(rebuild(operation))).toMatchObject({
      kind: 'rebuilt',
      generation: 1,
      resumed: true,
    });
  });

  test('an unfinished generation whose store is gone is given up: its number is not used again', async () => {
    const site = await filledSite();
    const operation = site.operation(gameProjection());
    await site.clock.until(rebuild({ ...operation, signal: AbortSignal.abort() }));
    site.database.lose(1);
    expect(await site.clock.until(rebuild(operation))).toMatchObject({
      kind: 'rebuilt',
      generation: 2,
      resumed: false,
    });
    const { state } = await readControl(site.log, 'game');
    expect(state.generations.get(1)?.dropped).toBe(true);
  });

  test('a second rebuild beside a running one says who is busy', async () => {
    const site = await filledSite();
    const opened = site.openStore();
    await site.clock.until(
      rebuild({ ...site.operation(gameProjection()), signal: AbortSignal.abort() }),
    );
    const generation = await opened.open(1);
    if (generation === 'lost') throw new Error('lost');
    // Somebody holds the share and keeps renewing it.
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) {
        await generation.acquire(0, 'other', site.clock.now(), projectorLimits.leaseTtlMs);
        await site.clock.sleep(1_500, stop.signal);
      }
    })();
    await site.clock.advance(0);
    const busy = await site.clock.until(rebuild(site.operation(gameProjection())));
    stop.abort();
    expect(busy).toMatchObject({ kind: 'busy', generation: 1, holder: 'other' });
    // Not renewed any more: it may have been killed, so its lease is waited for.
    expect(await site.clock.until(rebuild(site.operation(gameProjection())))).toMatchObject({
      kind: 'rebuilt',
      generation: 1,
    });
  });

  test('is strict: a failing event ends it, with the event named', async () => {
    const site = await filledSite();
    const id = await site.stumble('p1');
    const trouble = { stumbles: true };
    const operation = site.operation(gameProjection({}, trouble));
    const halted = await site.clock.until(rebuild(operation));
    expect(halted).toMatchObject({
      kind: 'halted',
      generation: 1,
      halt: { reason: 'handler-failed', event: { id, stream: 'game-p1', type: 'stumbled' } },
    });
    const haltOf = async () => {
      const report = await site.clock.until(projectionStatus(operation));
      return report.generations[0]?.halted;
    };
    const told = { reason: 'handler-failed', stream: 'game-p1', event_id: id, type: 'stumbled' };
    expect(await haltOf()).toMatchObject(told);
    expect(JSON.stringify(await haltOf())).not.toContain('over nothing');
    // It is told once, however often it is tried.
    const { head } = await readControl(site.log, 'game');
    expect(await site.clock.until(rebuild(operation))).toMatchObject({ kind: 'halted' });
    expect((await readControl(site.log, 'game')).head).toBe(head);
    trouble.stumbles = false;
    expect(await site.clock.until(rebuild(operation))).toMatchObject({
      kind: 'rebuilt',
      generation: 1,
      resumed: true,
    });
    expect(await haltOf()).toBeUndefined();
  });

  test('one grand total, fed by four partitions and summed by four workers, is the naive sum', async () => {
    const site = await filledSite({ partitions: 4 });
    const game = gameProjection();
    const projection = gameProjection({
      split: 'partition',
      onFailure: 'halt',
      tables: [
        { name: 'grand', columns: { partition: 'integer', points: 'integer' }, key: ['partition'] },
      ],
      touches: (event) =>
        event.type === 'scored' ? [{ table: 'grand', key: [event.partition] }] : [],
      apply: (event, rows) => {
        if (event.type !== 'scored') return;
        const { partition } = event;
        const { points } = event.data as { points: number };
        const before = (rows.get('grand', [partition])?.points as number | undefined) ?? 0;
        rows.put('grand', { partition, points: before + points });
      },
    });
    expect(projection.name).toBe(game.name);
    const operation = site.operation(projection);
    const rebuilt = await site.clock.until(rebuild({ ...operation, workers: 4 }));
    expect(rebuilt.kind).toBe('rebuilt');
    const { grand = [] } = await site.tables(1);
    const sum = grand.reduce((total, row) => total + (row.points as number), 0);
    expect(sum).toBe((60 * 59) / 2);
    expect(grand.length).toBeGreaterThan(1);
    expect(await site.clock.until(rebuild({ ...operation, workers: 5 }))).toMatchObject({
      kind: 'refused',
      reason: 'too-many-workers',
    });
    // The running projector splits in the same way.
    const projector = site.start([projection]);
    await site.score('late', 1_000);
    await site.clock.advance(2_000);
    const { grand: later = [] } = await site.tables(1);
    expect(later.reduce((total, row) => total + (row.points as number), 0)).toBe(sum + 1_000);
    await projector.stop();
  });

  test('until a checkpoint: exactly what lies up to it, and it stays so', async () => {
    const site = await filledSite({ partitions: 3 });
    const projection = gameProjection();
    const at = await site.log.head();
    const rows = await site.naiveTotals();
    for (let round = 0; round < 20; round += 1) await site.score(`p${round}`, 1);
    const until = { checkpoint: encodeCheckpoint(at) };
    const operation = site.operation(projection);
    expect(await site.clock.until(rebuild({ ...operation, until, workers: 2 }))).toMatchObject({
      kind: 'rebuilt',
      generation: 1,
      checkpoint: at,
    });
    expect((await site.rows(1)).totals).toEqual(rows);
    const projector = site.start([projection]);
    await site.clock.advance(5_000);
    expect(projector.status()).toMatchObject([{ generation: 1, kind: 'frozen' }]);
    expect((await site.rows(1)).totals).toEqual(rows);
    await projector.stop();
  });

  test('until a time: what was recorded up to it, interrupted or not', async () => {
    const site = await filledSite({ partitions: 2 });
    const projection = gameProjection();
    const until = { time: site.clock.now() };
    const rows = await site.naiveTotals();
    await site.clock.advance(5);
    for (let round = 0; round < 20; round += 1) await site.score(`p${round}`, 1);
    // A clock that goes back: what came later in the log stays out all the same.
    site.clock.jump(-60_000);
    for (let round = 0; round < 20; round += 1) await site.score(`p${round}`, 1);
    site.clock.jump(60_000);
    const operation = site.operation(projection);
    expect(
      await site.clock.until(rebuild({ ...operation, until, signal: AbortSignal.abort() })),
    ).toMatchObject({ kind: 'interrupted', generation: 1 });
    expect(await site.clock.until(rebuild({ ...operation, until }))).toMatchObject({
      kind: 'rebuilt',
      generation: 1,
      resumed: true,
    });
    expect((await site.rows(1)).totals).toEqual(rows);
  });

  test.each<[string, (site: GameSite) => Partial<RebuildOptions>, string]>([
    ['a time to come', (site) => ({ until: { time: site.clock.now() + 1 } }), 'until-invalid'],
    [
      'a position the log has not reached',
      () => ({ until: { checkpoint: '0:zzz' } }),
      'until-invalid',
    ],
    ['text that is no position', () => ({ until: { checkpoint: 'x' } }), 'until-invalid'],
    ['no workers', () => ({ workers: 0 }), 'too-many-workers'],
  ])('refuses %s, and writes nothing', async (_, change, reason) => {
    const site = await filledSite();
    const options = { ...site.operation(gameProjection()), ...change(site) };
    const scratch = memoryProjectionStore({ clock: site.clock });
    expect(await site.clock.until(rebuild(options))).toMatchObject({ kind: 'refused', reason });
    const plan = await site.clock.until(planRebuild({ ...options, scratch }));
    expect(plan).toMatchObject({ kind: 'refused', reason });
    expect((await readControl(site.log, 'game')).head).toBe('no-stream');
    expect(site.database.generations).toEqual([]);
  });

  test('the store that vanishes under it is lost', async () => {
    const site = await filledSite();
    const { clock, database } = site;
    const faults = (operation: string) => {
      if (operation === 'commit') database.lose(1);
      return 'none' as const;
    };
    const store = memoryProjectionStore({ clock, database, faults });
    const outcome = await clock.until(rebuild({ ...site.operation(gameProjection()), store }));
    expect(outcome).toMatchObject({ kind: 'lost', generation: 1 });
  });

  test('a dropped generation is lost to its rebuild', async () => {
    const site = await filledSite();
    const operation = site.operation(gameProjection());
    await site.clock.until(rebuild({ ...operation, signal: AbortSignal.abort() }));
    await site.clock.until(drop({ ...operation, generation: 1 }));
    expect(await site.clock.until(rebuild(operation))).toMatchObject({ generation: 2 });
  });

  test('a throttled one works only its share of the time', async () => {
    const site = await filledSite();
    let now = site.clock.now();
    let slept = 0;
    // Every look at the clock takes a millisecond: that is the work.
    const clock = {
      now: () => {
        now += 1;
        return now;
      },
      sleep: async (ms: number, signal?: AbortSignal) => {
        if (ms >= 1_000) return site.clock.sleep(ms, signal);
        slept += ms;
        now += ms;
      },
    };
    const started = now;
    const outcome = await rebuild({
      ...site.operation(gameProjection()),
      clock,
      throttle: { share: 0.25 },
    });
    expect(outcome.kind).toBe('rebuilt');
    const worked = now - started - slept;
    expect(slept).toBeGreaterThan(worked);
    expect(slept).toBeLessThan(worked * 4);
  });

  test('tells its progress, and the plan tells it before', async () => {
    const site = await filledSite();
    const seen: [number, number][] = [];
    const operation = site.operation(gameProjection());
    const plan = await planned(site, operation);
    expect(plan).toMatchObject({ generation: 1, resumes: false, events: 60 });
    expect([...plan.eventsByType]).toEqual([['scored', 60]]);
    const onProgress: RebuildOptions['onProgress'] = ({ events, total }) => {
      seen.push([events, total]);
    };
    await site.clock.until(rebuild({ ...operation, onProgress }));
    expect(seen.at(-1)).toEqual([60, 60]);
    expect(site.database.generations).toEqual([1]);
  });

  test('is planned up to its end, which may lie before the first event', async () => {
    const site = await filledSite({ partitions: 2 });
    const operation = site.operation(gameProjection());
    const at = await site.log.head();
    const until = { time: site.clock.now() };
    await site.clock.advance(5);
    for (let round = 0; round < 20; round += 1) await site.score(`p${round}`, 1);
    const ends = [until, { checkpoint: encodeCheckpoint(at) }, { time: 0 }];
    const plans = [];
    for (const one of ends) plans.push(await planned(site, { ...operation, until: one }));
    expect(plans.map(({ events, resumes }) => [events, resumes])).toEqual([
      [60, false],
      [60, false],
      [0, false],
    ]);
    for (const [index, one] of ends.entries()) {
      const rebuilt = await site.clock.until(rebuild({ ...operation, until: one }));
      expect(rebuilt).toMatchObject({ kind: 'rebuilt', events: plans[index]?.events });
    }
  });

  test.each([1, 3])(
    'interrupted with %i workers, its plan counts what is left',
    async (workers) => {
      const site = await filledSite();
      const trouble = { stumbles: true };
      const operation = site.operation(gameProjection({}, trouble));
      await site.stumble('p3');
      for (let round = 0; round < 40; round += 1) await site.score(`p${round % 7}`, 1);
      const halted = await site.clock.until(rebuild({ ...operation, workers }));
      expect(halted.kind).toBe('halted');
      trouble.stumbles = false;
      const plan = await planned(site, { ...operation, workers: 2 });
      expect(plan).toMatchObject({ generation: 1, resumes: true, workers });
      expect(plan.events).toBeGreaterThan(0);
      expect(plan.events).toBeLessThan(101);
      // A rebuild to another end is another one.
      const until = { checkpoint: encodeCheckpoint(await site.log.head()) };
      expect(await planned(site, { ...operation, until })).toMatchObject({
        generation: 2,
        resumes: false,
        events: 101,
      });
      const rebuilt = await site.clock.until(rebuild(operation));
      expect(rebuilt).toMatchObject({ kind: 'rebuilt', resumed: true, events: plan.events });
    },
  );

  test('is planned with the rate of a sample, a throttle counted in, and with what stops it', async () => {
    const site = new GameSite();
    for (let round = 0; round < 1_500; round += 1) await site.score(`p${round % 7}`, round);
    const trouble = { stumbles: true };
    let now = site.clock.now();
    // Every look at the clock takes a millisecond: that is the work.
    const clock = { ...site.clock, now: () => ++now, sleep: site.clock.sleep.bind(site.clock) };
    const operation = { ...site.operation(gameProjection({}, trouble)), clock };
    const full = await planned(site, operation);
    const quarter = await planned(site, { ...operation, throttle: { share: 0.25 } });
    expect(full.eventsPerSecond).toBeGreaterThan(0);
    expect(quarter.eventsPerSecond).toBe((full.eventsPerSecond as number) / 4);
    expect(quarter.estimateMs).toBe((full.estimateMs as number) * 4);
    await site.stumble('p1');
    expect(await planned(site, operation)).toMatchObject({
      eventsPerSecond: undefined,
      halt: { reason: 'handler-failed', event: { stream: 'game-p1' } },
    });
  });

  test('errors of the log are waited out', async () => {
    const site = await filledSite();
    let deliveries = 0;
    const log = memoryEventLog({
      storage: site.log.storage,
      clock: site.clock,
      faults: {
        deliver: () => {
          deliveries += 1;
          return deliveries < 5 ? 'throw' : undefined;
        },
      },
    });
    const outcome = await site.clock.until(rebuild({ ...site.operation(gameProjection()), log }));
    expect(outcome.kind).toBe('rebuilt');
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
  });
});
