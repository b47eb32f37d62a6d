import { describe, expect, test } from 'vitest';
import { letterFrom } from '../dead-letters.ts';
import {
  discardDeadLetter,
  listDeadLetters,
  retryDeadLetters,
  showDeadLetters,
} from '../operations/dead-letter-operations.ts';
import { rebuild } from '../operations/rebuild.ts';
import { GameSite, gameProjection } from '../testing/game.ts';

/** A stream with a stumble in its midst, and another one without. */
async function parkedSite(trouble = { stumbles: true }) {
  const site = new GameSite();
  const projection = gameProjection({}, trouble);
  const projector = site.start([projection]);
  await site.score('ann', 1);
  const stumble = await site.stumble('ann');
  await site.score('ann', 2);
  await site.clock.advance(100);
  await site.score('ann', 3);
  await site.score('bob', 4);
  await site.clock.advance(2_000);
  return { site, projection, projector, stumble, trouble };
}

async function lettersOf(site: GameSite, generation = 1) {
  return ((await site.tables(generation)).dead_letters ?? []).map(letterFrom);
}

describe('dead letters', () => {
  test('a failing event and the later ones of its stream are parked; other streams go on', async () => {
    const { site, projector, stumble } = await parkedSite();
    const letters = await lettersOf(site);
    expect(letters.map(({ stream, revision, errorCode }) => [stream, revision, errorCode])).toEqual(
      [
        ['game-ann', 1, 'handler-failed'],
        ['game-ann', 2, 'behind'],
        ['game-ann', 3, 'behind'],
      ],
    );
    const { events } = await site.log.readStream('game-ann', { from: 1, limit: 1 });
    expect(letters[0]).toMatchObject({
      eventId: stumble,
      type: 'stumbled',
      error: 'stumbled over nothing',
      attempts: 1,
      parkedAt: events[0]!.recordedAt,
      position: events[0]!.position,
    });
    // What the failing handler had put is undone.
    expect((await site.rows(1)).totals).toEqual([
      '{"player":"ann","points":1,"games":1}',
      '{"player":"bob","points":4,"games":1}',
    ]);
    const [status] = projector.status();
    expect(status?.kind === 'followed' && status.shares[0]?.parked).toBe(3);
    expect(status?.kind === 'followed' && status.shares[0]?.state).toBe('live');
    await projector.stop();
  });

  test('they stay parked over a restart, and later events of the stream go behind them', async () => {
    const { site, projection, projector } = await parkedSite();
    await projector.stop();
    const next = site.start([projection]);
    await site.score('ann', 5);
    await site.clock.advance(2_000);
    expect((await lettersOf(site)).map(({ revision }) => revision)).toEqual([1, 2, 3, 4]);
    await next.stop();
  });

  test('retry works them off in order, by the projector that holds the work', async () => {
    const { site, projection, projector, trouble } = await parkedSite();
    trouble.stumbles = false;
    const operation = site.operation(projection);
    const outcome = await site.clock.until(retryDeadLetters(operation));
    expect(outcome).toMatchObject({ kind: 'worked-off', done: true, remaining: [] });
    // The stumble deletes the row, so the total counts only what came after it: the order shows.
    expect((await site.rows(1)).totals).toEqual([
      '{"player":"ann","points":5,"games":2}',
      '{"player":"bob","points":4,"games":1}',
    ]);
    expect(await lettersOf(site)).toEqual([]);
    await site.score('ann', 10);
    await site.clock.advance(100);
    expect((await site.rows(1)).totals?.[0]).toBe('{"player":"ann","points":15,"games":3}');
    await projector.stop();
  });

  test('retry stops at the first event that fails again', async () => {
    const { site, projection, projector } = await parkedSite();
    const outcome = await site.clock.until(retryDeadLetters(site.operation(projection)));
    expect(outcome).toMatchObject({ kind: 'worked-off', done: true });
    expect((await lettersOf(site)).map(({ attempts }) => attempts)).toEqual([2, 0, 0]);
    expect((await site.rows(1)).totals?.[0]).toBe('{"player":"ann","points":1,"games":1}');
    await projector.stop();
  });

  test('retry without a projector does the work itself', async () => {
    const { site, projection, projector, trouble } = await parkedSite();
    await projector.stop();
    trouble.stumbles = false;
    const operation = site.operation(projection);
    const options = { ...operation, stream: 'game-ann' };
    expect(await site.clock.until(retryDeadLetters(options))).toMatchObject({
      kind: 'worked-off',
      done: true,
      remaining: [],
    });
    expect((await site.rows(1)).totals?.[0]).toBe('{"player":"ann","points":5,"games":2}');
  });

  test('discard gives the first one up and goes on with the rest', async () => {
    const { site, projection, projector } = await parkedSite();
    const options = { ...site.operation(projection), stream: 'game-ann' };
    const outcome = await site.clock.until(discardDeadLetter(options));
    expect(outcome).toMatchObject({ kind: 'worked-off', done: true, remaining: [] });
    expect((await site.rows(1)).totals).toEqual(await site.naiveTotals());
    // A strict rebuild leaves the discarded event out as well, and comes to the same rows.
    const rebuilt = await site.clock.until(rebuild(site.operation(projection)));
    expect(rebuilt).toMatchObject({ kind: 'rebuilt', generation: 2 });
    expect(await site.rows(2)).toEqual(await site.rows(1));
    await projector.stop();
  });

  test('a rebuild that parks gives the same rows and the same letters', async () => {
    const { site, projection, projector } = await parkedSite();
    const options = { ...site.operation(projection), onFailure: 'park' as const };
    await site.clock.until(rebuild(options));
    expect(await site.tables(2)).toEqual(await site.tables(1));
    await projector.stop();
  });

  test('a store that goes back loses letters and rows alike, and parks again', async () => {
    const site = new GameSite();
    const projector = site.start([gameProjection()]);
    await site.score('ann', 1);
    await site.clock.advance(100);
    const copy = site.database.backup();
    await site.stumble('ann');
    await site.score('ann', 2);
    await site.clock.advance(100);
    site.database.restore(copy);
    await site.score('ann', 3);
    await site.clock.advance(5_000);
    expect((await lettersOf(site)).map(({ revision }) => revision)).toEqual([1, 2, 3]);
    await projector.stop();
  });

  test('list and show tell of them; what is not parked is refused', async () => {
    const { site, projection, projector, stumble } = await parkedSite();
    const operation = site.operation(projection);
    const listed = await site.clock.until(listDeadLetters(operation));
    expect(listed.kind === 'letters' && listed.letters).toEqual(await lettersOf(site));
    const shown = await site.clock.until(showDeadLetters({ ...operation, stream: 'game-ann' }));
    expect(shown).toMatchObject({ kind: 'stream', event: { id: stumble, type: 'stumbled' } });
    const refusals = await Promise.all([
      showDeadLetters({ ...operation, stream: 'game-bob' }),
      discardDeadLetter({ ...operation, stream: 'game-bob' }),
      retryDeadLetters({ ...operation, stream: 'game-bob' }),
      listDeadLetters({ ...operation, generation: 9 }),
    ]);
    expect(refusals.map((one) => one.kind === 'refused' && one.reason)).toEqual([
      'no-such-letter',
      'no-such-letter',
      'no-such-letter',
      'no-such-generation',
    ]);
    await projector.stop();
  });
});
