import { type EventLog, MemoryStorage, memoryEventLog, type StoredEvent } from '@annals/event-log';
import { describe, expect, test } from 'vitest';
import { promote, rollback } from '../operations/flip.ts';
import { rebuild } from '../operations/rebuild.ts';
import { projectionStatus } from '../operations/status.ts';
import { verify } from '../operations/verify.ts';
import { GameSite, gameProjection, type ProjectorProcess } from '../testing/game.ts';
import { divergence, LogTail } from './log-tail.ts';

const game = gameProjection();

async function allEvents(log: EventLog): Promise<readonly StoredEvent[]> {
  return (await log.read('start', {}, { limit: 1_000 })).events;
}

/** A log with these events, as a backup that was put back has them. */
async function logOf(events: readonly StoredEvent[], partitions = 1): Promise<MemoryStorage> {
  const storage = new MemoryStorage({ partitions });
  const log = memoryEventLog({ storage, clock: { now: () => 0 } });
  for (const { stream, ...event } of events) {
    const stored = await log.append(stream, [event], { expected: 'any' });
    expect(stored).toMatchObject({ kind: 'stored', position: event.position });
  }
  return storage;
}

interface Before {
  readonly site: GameSite;
  /** Events in the log when the backup was made. */
  readonly backedUp: number;
}

/** A site whose projector has folded some events after a backup of the log was made. */
async function filled(after: (site: GameSite) => Promise<void>): Promise<Before> {
  const site = new GameSite();
  const projector = site.start([game]);
  await site.clock.advance(2_000);
  for (let n = 0; n < 6; n += 1) await site.score(`p${n % 3}`, 1);
  const backedUp = (await allEvents(site.log)).length;
  await site.clock.advance(60_000);
  await after(site);
  await site.clock.advance(2_000);
  expect(await site.checkpoint(1)).toEqual(await site.log.head());
  await projector.stop();
  return { site, backedUp };
}

/** The same read models under the log as it was backed up. */
async function restored({ site, backedUp }: Before): Promise<GameSite> {
  const storage = await logOf((await allEvents(site.log)).slice(0, backedUp));
  const back = new GameSite({ storage }, site.database);
  await back.clock.advance(600_000);
  return back;
}

const scoresTwice = async (site: GameSite) => {
  await site.score('ann', 1);
  await site.score('bob', 1);
};

async function shares(site: GameSite) {
  const opened = await site.openStore().open(1);
  if (opened === 'lost') throw new Error('g1 is lost');
  return opened.shares();
}

function shareOf(projector: ProjectorProcess) {
  const status = projector.status().find((one) => one.generation === 1);
  return status?.kind === 'followed' ? status.shares[0] : undefined;
}

async function expectHalted(site: GameSite, detail: RegExp): Promise<void> {
  const rows = await site.rows(1);
  const projector = site.start([game]);
  await site.clock.advance(10_000);
  expect(shareOf(projector)).toMatchObject({ state: 'halted', caughtUp: false });
  expect(shareOf(projector)?.detail).toMatch(detail);
  expect(shareOf(projector)?.detail).toMatch(/Run annals rebuild game$/);
  expect(await site.rows(1)).toEqual(rows);
  await projector.stop();
}

describe('a log that was restored from an older backup, under its read models', () => {
  test('halts them as long as it is shorter than what they were made from', async () => {
    const site = await restored(await filled(scoresTwice));
    await expectHalted(
      site,
      /^game g1: the log ends at \w+, and it was made from one that went on/,
    );
    await site.score('ann', 7);
    await expectHalted(site, /the log ends at/);
  });

  test('halts them also after it has grown past that point again', async () => {
    const site = await restored(await filled(scoresTwice));
    for (let n = 0; n < 20; n += 1) await site.score('new', 1);
    await expectHalted(site, /the log has other events up to \w+ than those it was made from/);
  });

  test('halts them when the same events were sent again in another order', async () => {
    const before = await filled(scoresTwice);
    const [first, second] = (await allEvents(before.site.log)).slice(before.backedUp);
    const site = await restored(before);
    for (const event of [second, first, second, first]) {
      const { stream, recordedAt: _, ...again } = event as StoredEvent;
      await site.log.append(stream, [again], { expected: 'any' });
    }
    await site.score('ann', 7);
    await expectHalted(site, /the log has other events/);
  });

  test('halts them when the last event is the same one, sent again', async () => {
    const before = await filled(async (site) => {
      await site.score('ann', 1);
      await site.score('bob', 1);
    });
    const [, last] = (await allEvents(before.site.log)).slice(before.backedUp);
    const site = await restored(before);
    await site.score('zoe', 5);
    const { stream, recordedAt: _, ...again } = last as StoredEvent;
    const sent = await site.log.append(stream, [again], { expected: 'any' });
    expect(sent).toMatchObject({ kind: 'stored', position: last?.position });
    await site.score('ann', 7);
    await expectHalted(site, /the log has other events/);
  });

  test('halts them when only events of others were lost, and theirs stand there now', async () => {
    const before = await filled(async (site) => {
      for (let n = 0; n < 5; n += 1) await site.note();
    });
    const site = await restored(before);
    for (let n = 0; n < 20; n += 1) await site.score('new', 1);
    await expectHalted(site, /the log has other events/);
  });

  test('lets them go on when nothing of theirs was lost', async () => {
    const before = await filled(async (site) => {
      for (let n = 0; n < 5; n += 1) await site.note();
    });
    const site = await restored(before);
    for (let n = 0; n < 20; n += 1) await site.note();
    await site.score('ann', 7);
    const projector = site.start([game]);
    await site.clock.advance(2_000);
    expect(shareOf(projector)).toMatchObject({ state: 'live' });
    const [g1] = (await projectionStatus(site.operation(game))).generations;
    expect(g1).toMatchObject({ kind: 'followed', diverged: undefined });
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    await projector.stop();
  });

  test.each([0, 20])(
    'rebuild, verify and promote bring what it says, %d events later',
    async (grown) => {
      const site = await restored(await filled(scoresTwice));
      for (let n = 0; n < grown; n += 1) await site.score('new', 1);
      const projector = site.start([game]);
      const operation = site.operation(game);
      const [g1] = (await projectionStatus(operation)).generations;
      expect(g1?.diverged).toMatch(/it was made from/);
      expect((await site.clock.until(rebuild(operation))).kind).toBe('rebuilt');
      expect(await site.clock.until(verify(operation))).toMatchObject({
        kind: 'verified',
        against: 'refold',
        notCompared: 'live-diverged',
      });
      expect((await site.clock.until(promote(operation))).kind).toBe('promoted');
      const back = await site.clock.until(rollback(operation));
      expect(back).toMatchObject({ kind: 'refused', reason: 'lost' });
      await site.score('ann', 1);
      await site.clock.advance(2_000);
      expect((await site.rows(2)).totals).toEqual(await site.naiveTotals());
      await projector.stop();
    },
  );

  test('a rebuild that passes over what ends the log knows that log again, and no other', async () => {
    const site = new GameSite();
    await site.score('ann', 1);
    const notes = 3;
    for (let n = 0; n < notes; n += 1) await site.append('game-ann', { type: 'noted', data: {} });
    const rebuilt = await site.clock.until(rebuild(site.operation(game)));
    expect(rebuilt).toMatchObject({ kind: 'rebuilt', generation: 1, events: 1 });
    expect(await site.checkpoint(1)).not.toEqual({});
    const scores = (await allEvents(site.log)).filter(({ stream }) => stream.startsWith('game-'));
    expect(scores).toHaveLength(1 + notes);
    // Others stand now where those were that changed no row: what comes in their place would be missed.
    const control = (await allEvents(site.log)).filter((one) => !scores.includes(one));
    const other = memoryEventLog({ storage: new MemoryStorage(), clock: site.clock });
    const [first] = scores as [StoredEvent];
    for (const { stream, ...event } of [first, ...control]) {
      await other.append(stream, [event], { expected: 'any' });
    }
    const checkpoint = await site.checkpoint(1);
    const tail = (await shares(site))[0]?.tail ?? '';
    const lease = { checkpoint, tail };
    expect(await divergence(site.log, ['game'], lease)).toBeUndefined();
    expect(await divergence(other, ['game'], lease)).toMatch(/the log/);
    const projector = site.start([game]);
    await site.clock.advance(2_000);
    expect(shareOf(projector)).toMatchObject({ state: 'live' });
    await projector.stop();
  });

  test('a rebuild that was cut off begins anew', async () => {
    const before = await filled(async (site) => {
      // The backup is older than these, and the rebuild stops at the last of them.
      await site.score('ann', 1);
    });
    const { site: former } = before;
    await former.stumble('bob');
    const strict = await former.clock.until(rebuild(former.operation(game)));
    expect(strict).toMatchObject({ kind: 'halted', generation: 2 });
    // The log still tells of the rebuild, and has lost the score.
    const events = await allEvents(former.log);
    const control = events.filter(({ stream }) => stream.startsWith('projection-'));
    const scores = events.filter(({ stream }) => stream.startsWith('game-')).slice(0, 3);
    const storage = new MemoryStorage();
    const log = memoryEventLog({ storage, clock: former.clock });
    for (const { stream, ...event } of [...control, ...scores]) {
      await log.append(stream, [event], { expected: 'any' });
    }
    const site = new GameSite({ storage }, former.database);
    expect(await site.clock.until(rebuild(site.operation(game)))).toMatchObject({
      kind: 'rebuilt',
      generation: 3,
    });
    expect((await site.rows(3)).totals).toEqual(await site.naiveTotals());
  });
});

describe('the tail of a log', () => {
  const event = (n: number, partition = 0) =>
    ({
      id: `id-${n}`,
      partition,
      position: String(n).padStart(16, '0'),
      recordedAt: 1_000 + n,
    }) as StoredEvent;
  const at = (n: number) => String(n).padStart(16, '0');

  test('is the last event of each partition, and survives as text', () => {
    const tail = new LogTail('');
    tail.take([event(1), event(2, 3), event(5)]);
    const again = new LogTail(tail.upTo({ 0: at(5), 3: at(9) }));
    expect(again.isLast(0, event(5))).toBe(true);
    expect(again.isLast(0, event(1))).toBe(false);
    expect(again.isLast(0, undefined)).toBe(false);
    expect(again.isLast(3, event(2, 3))).toBe(true);
    expect(again.isLast(7, undefined)).toBe(true);
    expect(again.isLast(7, event(8, 7))).toBe(false);
    expect(again.isLast(0, { ...event(5), recordedAt: 9 })).toBe(false);
  });

  test('is unknown where a later event was read than the batch ends with, until the next one', () => {
    const tail = new LogTail('');
    tail.take([event(1), event(5)]);
    const cut = new LogTail(tail.upTo({ 0: at(3) }));
    expect(cut.isLast(0, event(1))).toBe(true);
    expect(cut.isLast(0, undefined)).toBe(true);
    expect(new LogTail(cut.upTo({ 0: at(4) })).isLast(0, event(4))).toBe(true);
    cut.take([event(6)]);
    expect(cut.isLast(0, event(5))).toBe(false);
  });

  test('of a share at the beginning asks the log nothing', async () => {
    const never = () => Promise.reject(new Error('the log was asked'));
    const log = { head: never, read: never };
    expect(await divergence(log, ['game'], { checkpoint: {}, tail: '' })).toBeUndefined();
  });
});
