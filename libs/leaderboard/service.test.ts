import { type Checkpoint, decodeCheckpoint } from '@annals/event-log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ScoreInput, scoreInputSchema } from './input.ts';
import { limits } from './limits.ts';
import { boardStream, bucketOf, scoresStream } from './streams.ts';
import { eventCount, type TwinLeaderboard, twinLeaderboard } from './testing/twin-leaderboard.ts';

let twin: TwinLeaderboard;
beforeEach(async () => {
  twin = await twinLeaderboard();
});
afterEach(() => twin.close());

function score(userId: string, points: number, rest: Partial<ScoreInput> = {}): ScoreInput {
  return scoreInputSchema.parse({ user_id: userId, points, match_id: 'm1', ...rest });
}

describe('recording a score', () => {
  test('gives the total at its position', async () => {
    const first = await twin.leaderboard.recordScore(score('ann', 3));
    expect(first).toMatchObject({ kind: 'recorded', total: 3, duplicate: false });
    const second = await twin.leaderboard.recordScore(score('ann', 4, { match_id: 'm2' }));
    expect(second).toMatchObject({ kind: 'recorded', total: 7, duplicate: false });
    const position = 'position' in second ? second.position : '';
    expect(decodeCheckpoint(position)).toEqual(await twin.log.head());
  });

  test('goes to the bucket of the player, with the board’s operator and order in it', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    const { events } = await twin.log.readStream(scoresStream('default', bucketOf('ann', 64)));
    expect(events.map((event) => JSON.parse(event.data))).toEqual([
      {
        board: 'default',
        user_id: 'ann',
        match_id: 'm1',
        points: 3,
        period: '2026-11',
        operator: 'increment',
        order: 'desc',
      },
    ]);
    expect(events[0]).toMatchObject({ type: 'score-recorded', occurredAt: twin.clock.now() });
  });

  test('sent again adds nothing and gives the total of the first time', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    await twin.leaderboard.recordScore(score('ann', 4, { match_id: 'm2' }));
    const before = await eventCount(twin.log);
    const again = await twin.leaderboard.recordScore(score('ann', 3));
    expect(again).toMatchObject({ kind: 'recorded', total: 3, duplicate: true });
    expect(await eventCount(twin.log)).toBe(before);
  });

  test('sent again a month later is the same score, although the period would be another one', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    const before = await eventCount(twin.log);
    twin.clock.set('2027-02-01T00:00:00Z');
    const again = await twin.leaderboard.recordScore(score('ann', 3));
    expect(again).toMatchObject({ kind: 'recorded', total: 3, duplicate: true });
    expect(await eventCount(twin.log)).toBe(before);
  });

  test('sent again in another zone’s spelling of the same time is the same score', async () => {
    await twin.leaderboard.recordScore(score('ann', 3, { occurred_at: '2026-11-20T12:00:00Z' }));
    const again = score('ann', 3, { occurred_at: '2026-11-20T13:00:00.000+01:00' });
    expect(await twin.leaderboard.recordScore(again)).toMatchObject({ duplicate: true });
  });

  test('with other points under the same key is refused', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    const before = await eventCount(twin.log);
    expect(await twin.leaderboard.recordScore(score('ann', 4))).toMatchObject({
      kind: 'refused',
      reason: 'score-key-reused',
    });
    expect(await eventCount(twin.log)).toBe(before);
  });

  test('with another time under the same key is the same score: the first time stands', async () => {
    await twin.leaderboard.recordScore(score('ann', 3, { occurred_at: '2026-11-20T12:00:00Z' }));
    const before = await eventCount(twin.log);
    for (const occurred_at of ['2026-11-20T12:00:01Z', '2026-10-20T12:00:00Z', undefined]) {
      const again = score('ann', 3, occurred_at === undefined ? {} : { occurred_at });
      expect(await twin.leaderboard.recordScore(again)).toMatchObject({
        kind: 'recorded',
        total: 3,
        duplicate: true,
      });
    }
    expect(await eventCount(twin.log)).toBe(before);
    const october = await twin.leaderboard.top({ period: '2026-10', limit: 10, offset: 0 });
    expect(october).toMatchObject({ players: 0 });
  });

  test('with another time in a period that is closed is the same score all the same', async () => {
    await twin.leaderboard.recordScore(score('ann', 3, { occurred_at: '2026-11-20T12:00:00Z' }));
    await twin.leaderboard.closePeriod('default', '2026-10');
    const again = score('ann', 3, { occurred_at: '2026-10-20T12:00:00Z' });
    expect(await twin.leaderboard.recordScore(again)).toMatchObject({ total: 3, duplicate: true });
    const other = score('bob', 3, { occurred_at: '2026-10-20T12:00:00Z' });
    expect(await twin.leaderboard.recordScore(other)).toMatchObject({ reason: 'period-closed' });
  });

  test('the same match may bring points to other players and to other boards', async () => {
    await twin.leaderboard.putBoard('goals', { operator: 'best', order: 'desc', reset: 'never' });
    for (const input of [
      score('ann', 3),
      score('bob', 4),
      score('ann', 5, { leaderboard: 'goals' }),
    ]) {
      const result = await twin.leaderboard.recordScore(input);
      expect(result).toMatchObject({ kind: 'recorded', total: input.points, duplicate: false });
    }
  });

  test('goes to the period in which it was played', async () => {
    const occurred_at = '2026-10-31T23:59:59Z';
    await twin.leaderboard.recordScore(score('ann', 3, { occurred_at }));
    const page = { limit: 10, offset: 0 };
    expect(await twin.leaderboard.top(page)).toMatchObject({ period: '2026-11', rows: [] });
    const october = await twin.leaderboard.top({ ...page, period: '2026-10' });
    expect(october).toMatchObject({ rows: [{ userId: 'ann', score: 3, rank: 1 }] });
  });

  test('is refused for an unknown board, an absurd time, and writes nothing', async () => {
    const before = await eventCount(twin.log);
    const refusals = [
      [score('ann', 1, { leaderboard: 'nowhere' }), 'unknown-board'],
      [score('ann', 1, { occurred_at: '1999-12-31T23:59:59Z' }), 'occurred-at-out-of-range'],
      [score('ann', 1, { occurred_at: '2026-11-25T12:00:01Z' }), 'occurred-at-out-of-range'],
    ] as const;
    for (const [input, reason] of refusals) {
      expect(await twin.leaderboard.recordScore(input)).toMatchObject({ kind: 'refused', reason });
    }
    expect(await eventCount(twin.log)).toBe(before);
  });

  test('a day ahead is taken: clocks differ', async () => {
    const ahead = score('ann', 1, { occurred_at: '2026-11-25T12:00:00Z' });
    expect(await twin.leaderboard.recordScore(ahead)).toMatchObject({ kind: 'recorded' });
  });

  test('that would leave the safe integers is void, and later ones still count', async () => {
    await twin.leaderboard.putBoard('big', {
      operator: 'increment',
      order: 'desc',
      reset: 'never',
    });
    const points = limits.pointsMax;
    const batch = Array.from({ length: 1_000 }, (_, n) => ({
      ...score('ann', points),
      match_id: `b${n}`,
    }));
    const inBig = batch.map((item) => ({ ...item, leaderboard: 'big' }));
    for (let round = 0; round < 9; round += 1) {
      const renamed = inBig.map((item) => ({ ...item, match_id: `${item.match_id}-${round}` }));
      await twin.leaderboard.recordScores(renamed);
    }
    const total = 9_000 * points;
    const small = (match_id: string, some: number) =>
      twin.leaderboard.recordScore(score('ann', some, { leaderboard: 'big', match_id }));
    for (let n = 0; n < 7; n += 1) {
      expect(await small(`s${n}`, points)).toMatchObject({ total: total + (n + 1) * points });
    }
    expect(await small('over', points)).toMatchObject({
      kind: 'void',
      reason: 'total-out-of-range',
    });
    expect(await small('over', points)).toMatchObject({ kind: 'void', duplicate: true });
    const room = Number.MAX_SAFE_INTEGER - (total + 7 * points);
    expect(await small('fits', room)).toMatchObject({ total: Number.MAX_SAFE_INTEGER });
    expect(await small('one more', 1)).toMatchObject({ kind: 'void' });
    expect(await small('one less', -1)).toMatchObject({ total: Number.MAX_SAFE_INTEGER - 1 });
  });

  test.each(['lost', 'stopped'] as const)(
    'is durable although the read model is %s',
    async (state) => {
      twin.readModel.state = state;
      const result = await twin.leaderboard.recordScore(score('ann', 3));
      expect(result).toMatchObject({ kind: 'recorded-unseen', duplicate: false });
      twin.readModel.state = 'following';
      const again = await twin.leaderboard.recordScore(score('ann', 3));
      expect(again).toMatchObject({ kind: 'recorded', total: 3, duplicate: true });
    },
  );
});

describe('a log in trouble', () => {
  test('is told from a refusal, and the retry counts once', async () => {
    const faults = ['overloaded', 'unreachable', 'unknown-not-stored', 'unknown-stored'] as const;
    for (const fault of faults) {
      let pending: typeof fault | undefined;
      const troubled = await twinLeaderboard({
        faults: {
          append: () => {
            const now = pending;
            pending = undefined;
            return now;
          },
        },
      });
      pending = fault;
      const first = await troubled.leaderboard.recordScore(score('ann', 3));
      expect(first.kind).toBe(fault.startsWith('unknown') ? 'unknown' : fault);
      const again = await troubled.leaderboard.recordScore(score('ann', 3));
      const duplicate = fault === 'unknown-stored';
      expect(again).toMatchObject({ kind: 'recorded', total: 3, duplicate });
      await troubled.close();
    }
  });

  test('throws where I/O is broken', async () => {
    let broken = false;
    const append = () => (broken ? ('throw-not-stored' as const) : undefined);
    const troubled = await twinLeaderboard({ faults: { append } });
    broken = true;
    await expect(troubled.leaderboard.recordScore(score('ann', 3))).rejects.toMatchObject({
      name: 'EventLogError',
    });
    await troubled.close();
  });
});

describe('a batch', () => {
  const batch = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) =>
      score(`user-${(n + from) % 37}`, n + from, { match_id: `m${n + from}` }),
    );

  async function results(inputs: readonly ScoreInput[]) {
    const outcome = await twin.leaderboard.recordScores(inputs);
    if (outcome.kind !== 'batch') throw new Error(`refused: ${outcome.detail}`);
    return outcome.results;
  }

  test('gives each item what it would have got alone, in their order', async () => {
    const alone = await twinLeaderboard();
    const inputs = batch(200);
    const together = await results(inputs);
    for (const [index, input] of inputs.entries()) {
      const { position: _, ...expected } = (await alone.leaderboard.recordScore(input)) as {
        position: string;
      };
      expect(together[index]).toMatchObject(expected);
    }
    await alone.close();
  });

  test('is one append a bucket', async () => {
    const appends: number[] = [];
    const counted = await twinLeaderboard({
      faults: {
        append: (_, events) => {
          appends.push(events.length);
          return undefined;
        },
      },
    });
    appends.length = 0;
    const inputs = batch(1_000);
    await counted.leaderboard.recordScores(inputs);
    const buckets = new Set(inputs.map((input) => bucketOf(input.user_id, 64)));
    expect(appends).toHaveLength(buckets.size);
    expect(appends.reduce((sum, count) => sum + count, 0)).toBe(1_000);
    await counted.close();
  });

  test('sent again completes it, and nothing counts twice', async () => {
    const inputs = batch(300);
    await results(inputs.filter((_, n) => n % 3 === 0));
    const mixed = await results(inputs);
    expect(mixed.map((result) => 'duplicate' in result && result.duplicate)).toEqual(
      inputs.map((_, n) => n % 3 === 0),
    );
    const again = await results(inputs);
    expect(again.every((result) => 'duplicate' in result && result.duplicate)).toBe(true);
    expect(again.map((result) => 'total' in result && result.total)).toEqual(
      mixed.map((result) => 'total' in result && result.total),
    );
    expect((await twin.log.count()).get('score-recorded')).toBe(300);
  });

  test('sent again in another order, a month later, is still the same', async () => {
    const inputs = batch(120);
    const first = await results(inputs);
    twin.clock.set('2027-01-05T00:00:00Z');
    const reversed = await results(inputs.toReversed());
    expect(reversed.toReversed().map((result) => ({ ...result, duplicate: false }))).toMatchObject(
      first.map(({ kind }, n) => ({ kind, total: (first[n] as { total: number }).total })),
    );
    expect((await twin.log.count()).get('score-recorded')).toBe(120);
  });

  test('says which item reuses a key, and records the others', async () => {
    await twin.leaderboard.recordScore(score('user-5', 99, { match_id: 'm5' }));
    const outcome = await results(batch(10));
    expect(outcome.map((result) => result.kind)).toEqual(
      Array.from({ length: 10 }, (_, n) => (n === 5 ? 'refused' : 'recorded')),
    );
    expect(outcome[5]).toMatchObject({ reason: 'score-key-reused' });
  });

  test('with one bad item is refused as a whole', async () => {
    const before = await eventCount(twin.log);
    const inputs = batch(10).with(7, score('ann', 1, { leaderboard: 'nowhere' }));
    expect(await twin.leaderboard.recordScores(inputs)).toMatchObject({
      kind: 'refused',
      reason: 'unknown-board',
      index: 7,
    });
    expect(await eventCount(twin.log)).toBe(before);
  });

  test('too large for one append is split, in order', async () => {
    const filler = '\\"'.repeat(40);
    const inputs = Array.from({ length: 1_000 }, (_, n) =>
      score(`語${'"'.repeat(120)}`, 1, { match_id: `${n}-${filler}語語語語語語語語語語語語語語` }),
    );
    const totals = (await results(inputs)).map((result) => 'total' in result && result.total);
    expect(totals).toEqual(inputs.map((_, n) => n + 1));
  });

  test('stores what it can when some buckets are refused', async () => {
    let overloaded = true;
    const stream = scoresStream('default', bucketOf('user-3', 64));
    const troubled = await twinLeaderboard({
      faults: { append: (to) => (overloaded && to === stream ? 'overloaded' : undefined) },
    });
    const inputs = batch(37);
    const first = await troubled.leaderboard.recordScores(inputs);
    if (first.kind !== 'batch') throw new Error('refused');
    const kinds = new Set(first.results.map((result) => result.kind));
    expect(kinds).toEqual(new Set(['recorded', 'overloaded']));
    expect(first.results[3]).toEqual({ kind: 'overloaded' });
    overloaded = false;
    const again = await troubled.leaderboard.recordScores(inputs);
    if (again.kind !== 'batch') throw new Error('refused');
    expect(again.results.every((result) => result.kind === 'recorded')).toBe(true);
    expect((await troubled.log.count()).get('score-recorded')).toBe(37);
    await troubled.close();
  });
});

describe('a board', () => {
  const goals = { operator: 'best', order: 'asc', reset: 'weekly' } as const;

  test('is made once; the same again is fine', async () => {
    const made = await twin.leaderboard.putBoard('goals', goals);
    expect(made).toMatchObject({ kind: 'board', created: true, settings: goals });
    const again = await twin.leaderboard.putBoard('goals', goals);
    expect(again).toEqual({ ...made, created: false });
    expect((await twin.log.readStream(boardStream('goals'))).events).toHaveLength(1);
  });

  test.each([{ operator: 'latest' }, { order: 'desc' }, { reset: 'never' }] as const)(
    'keeps its settings: %j is refused',
    async (other) => {
      await twin.leaderboard.putBoard('goals', goals);
      expect(await twin.leaderboard.putBoard('goals', { ...goals, ...other })).toMatchObject({
        kind: 'refused',
        reason: 'board-settings-fixed',
      });
    },
  );

  test('made by another process is known here', async () => {
    const other = await twinLeaderboard({ storage: twin.log.storage });
    await other.leaderboard.putBoard('goals', goals);
    const result = await twin.leaderboard.recordScore(score('ann', 3, { leaderboard: 'goals' }));
    expect(result).toMatchObject({ kind: 'recorded', total: 3 });
    expect(twin.leaderboard.boards().get('goals')).toEqual({ ...goals, buckets: 64 });
    await other.close();
  });

  test('the default board is there from the start, once', async () => {
    await twin.leaderboard.ensureDefaultBoard();
    const { events } = await twin.log.readStream(boardStream('default'));
    expect(events).toHaveLength(1);
    expect(twin.leaderboard.boards().get('default')).toMatchObject({ reset: 'monthly' });
  });
});

describe('closing a period', () => {
  test('makes later scores void and keeps the earlier ones', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    expect(await twin.leaderboard.closePeriod('default', '2026-11')).toMatchObject({
      kind: 'closed',
    });
    const before = await eventCount(twin.log);
    const late = await twin.leaderboard.recordScore(score('bob', 4));
    expect(late).toMatchObject({ kind: 'refused', reason: 'period-closed' });
    expect(await eventCount(twin.log)).toBe(before);
    const top = await twin.leaderboard.top({ limit: 10, offset: 0 });
    expect(top).toMatchObject({ players: 1, rows: [{ userId: 'ann', score: 3 }] });
  });

  test('does not make a known score unknown: sent again it is a duplicate', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    await twin.leaderboard.closePeriod('default', '2026-11');
    const again = await twin.leaderboard.recordScore(score('ann', 3));
    expect(again).toMatchObject({ kind: 'recorded', total: 3, duplicate: true });
    const other = await twin.leaderboard.recordScore(score('ann', 4));
    expect(other).toMatchObject({ reason: 'score-key-reused' });
  });

  test('a score of a process that did not hear of it is void by the fold, and stays so', async () => {
    await twin.boards.close();
    const other = await twinLeaderboard({ storage: twin.log.storage });
    await other.leaderboard.closePeriod('default', '2026-11');
    for (const duplicate of [false, true]) {
      const late = await twin.leaderboard.recordScore(score('bob', 4));
      expect(late).toMatchObject({ kind: 'void', reason: 'period-closed', duplicate });
    }
    await other.close();
  });

  test('closes every bucket, and again changes nothing', async () => {
    const closed = await twin.leaderboard.closePeriod('default', '2026-10');
    const counts = await twin.log.count();
    expect(counts.get('period-closed')).toBe(64);
    expect(await twin.leaderboard.closePeriod('default', '2026-10')).toEqual(closed);
    expect(await twin.log.count()).toEqual(counts);
  });

  test('leaves the other periods open', async () => {
    await twin.leaderboard.closePeriod('default', '2026-10');
    expect(await twin.leaderboard.recordScore(score('ann', 1))).toMatchObject({ kind: 'recorded' });
  });

  test('is refused for a period or a board that is none', async () => {
    const refusals = [
      ['default', '2026-W48', 'invalid-period'],
      ['default', '2026-13', 'invalid-period'],
      ['default', '2026-12', 'period-not-begun'],
      ['nowhere', '2026-11', 'unknown-board'],
    ] as const;
    for (const [board, period, reason] of refusals) {
      expect(await twin.leaderboard.closePeriod(board, period)).toMatchObject({ reason });
    }
    expect((await twin.log.count()).get('period-close-started')).toBeUndefined();
  });

  test('that was cut off anywhere is finished at the next start', async () => {
    for (const survived of [1, 2, 30, 65]) {
      let left = Number.POSITIVE_INFINITY;
      const cut = await twinLeaderboard({
        faults: {
          append: () => {
            left -= 1;
            return left < 0 ? 'throw-not-stored' : undefined;
          },
        },
      });
      left = survived;
      await expect(cut.leaderboard.closePeriod('default', '2026-10')).rejects.toThrow();
      await cut.boards.close();
      const next = await twinLeaderboard({ storage: cut.log.storage });
      expect(await next.leaderboard.resumeCloses()).toBe(1);
      const counts = await next.log.count();
      expect(counts.get('period-closed')).toBe(64);
      expect(counts.get('period-close-completed')).toBe(1);
      expect(await next.leaderboard.resumeCloses()).toBe(0);
      await next.close();
    }
  });
});

describe('players', () => {
  const top = () => twin.leaderboard.top({ limit: 10, offset: 0 });

  test('are named, and named anew', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    await twin.leaderboard.putPlayer('ann', { name: 'Ann', picture: 'https://example.org/a.png' });
    await twin.readModel.catchUp();
    expect(await top()).toMatchObject({
      rows: [{ name: 'Ann', picture: 'https://example.org/a.png' }],
    });
    await twin.leaderboard.putPlayer('ann', { name: 'Anna' });
    await twin.readModel.catchUp();
    expect(await top()).toMatchObject({ rows: [{ name: 'Anna', picture: null }] });
  });

  test('are never in the log in plain text', async () => {
    await twin.leaderboard.putPlayer('ann', { name: 'Annabel Lee' });
    const { events } = await twin.log.read('start');
    expect(JSON.stringify(events)).not.toContain('Annabel');
  });

  test('keep rank and score when erased; the name is gone', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    await twin.leaderboard.putPlayer('ann', { name: 'Ann' });
    const erased = await twin.leaderboard.erasePlayer('ann');
    expect(erased).toMatchObject({ kind: 'erased', visible: true });
    expect(await top()).toMatchObject({ rows: [{ userId: 'ann', name: null, score: 3, rank: 1 }] });
    expect(await twin.leaderboard.putPlayer('ann', { name: 'Ann' })).toMatchObject({
      kind: 'refused',
      reason: 'player-erased',
    });
    const again = await twin.leaderboard.erasePlayer('ann');
    expect(again).toEqual(erased);
    expect(await twin.leaderboard.recordScore(score('ann', 4, { match_id: 'm2' }))).toMatchObject({
      total: 7,
    });
  });

  test('may be erased before they were ever named', async () => {
    expect(await twin.leaderboard.erasePlayer('ann')).toMatchObject({ kind: 'erased' });
    expect(await twin.leaderboard.putPlayer('ann', { name: 'Ann' })).toMatchObject({
      reason: 'player-erased',
    });
  });

  test('a name behind the erasure, from a writer that had the key already, is not shown', async () => {
    await twin.leaderboard.recordScore(score('ann', 3));
    const { leaderboard, keys } = twin;
    await leaderboard.putPlayer('ann', { name: 'Ann' });
    // The event is told first; until the key is destroyed, another process can still seal and open.
    const destroy = keys.destroy.bind(keys);
    keys.destroy = async (subjects) => {
      await leaderboard.putPlayer('ann', { name: 'Ann again' });
      await twin.readModel.catchUp();
      return destroy(subjects);
    };
    await leaderboard.erasePlayer('ann');
    expect(await top()).toMatchObject({ rows: [{ userId: 'ann', name: null }] });
  });
});

describe('reading', () => {
  test('waits for the asked position', async () => {
    const written = await twin.leaderboard.recordScore(score('ann', 3));
    const minPosition = 'position' in written ? written.position : '';
    const page = { limit: 10, offset: 0, minPosition };
    expect(await twin.leaderboard.top(page)).toMatchObject({
      kind: 'answer',
      rows: [{ score: 3 }],
    });
    twin.readModel.state = 'stopped';
    const unseen = await twin.leaderboard.recordScore(score('bob', 3));
    const behind = { ...page, minPosition: 'position' in unseen ? unseen.position : '' };
    expect(await twin.leaderboard.top(behind)).toEqual({ kind: 'late' });
    expect(await twin.leaderboard.top(page)).toMatchObject({ kind: 'answer' });
    twin.readModel.state = 'lost';
    expect(await twin.leaderboard.top(page)).toEqual({ kind: 'lost' });
  });

  test('says which checkpoint the answer is good for', async () => {
    const written = await twin.leaderboard.recordScore(score('ann', 3));
    const answer = await twin.leaderboard.top({ limit: 10, offset: 0 });
    expect(answer).toMatchObject({ asOf: (written as { position: string }).position });
  });

  test.each([
    [{ board: 'nowhere' }, 'unknown-board'],
    [{ period: '2026-W01' }, 'invalid-period'],
    [{ minPosition: 'x' }, 'invalid-position'],
  ])('%j is refused', async (query, reason) => {
    const answers = [
      await twin.leaderboard.top({ ...query, limit: 1, offset: 0 }),
      await twin.leaderboard.standing({ ...query, userId: 'ann', around: 4 }),
      await twin.leaderboard.ranks({ ...query, userIds: ['ann'] }),
      await twin.leaderboard.history({ ...query, userId: 'ann', limit: 10 }),
    ];
    for (const answer of answers) expect(answer).toMatchObject({ kind: 'refused', reason });
  });

  test('a player without a score has no row', async () => {
    const answer = await twin.leaderboard.standing({ userId: 'nobody', around: 4 });
    expect(answer).toMatchObject({ kind: 'answer', row: undefined, above: [], below: [] });
  });

  test('several API processes see each other’s writes', async () => {
    const other = await twinLeaderboard({ storage: twin.log.storage, partitions: 4 });
    const written = await twin.leaderboard.recordScore(score('ann', 3));
    const minPosition = (written as { position: string }).position;
    const seen = await other.leaderboard.standing({ userId: 'ann', around: 4, minPosition });
    expect(seen).toMatchObject({ row: { score: 3, rank: 1 } });
    await other.close();
  });
});

describe('the history of a player', () => {
  async function pages(userId: string, limit: number) {
    const matches: unknown[] = [];
    let cursor: string | undefined;
    for (;;) {
      const query = { userId, limit, ...(cursor === undefined ? {} : { cursor }) };
      const page = await twin.leaderboard.history(query);
      if (page.kind !== 'answer') throw new Error(page.kind);
      expect(page.matches.length).toBeLessThanOrEqual(limit);
      matches.push(...page.matches);
      cursor = page.nextCursor;
      if (cursor === undefined) return matches;
    }
  }

  beforeEach(async () => {
    for (let n = 0; n < 10; n += 1) {
      await twin.leaderboard.recordScore(score('ann', n, { match_id: `m${n}` }));
      await twin.leaderboard.recordScore(score('bob', 100, { match_id: `m${n}` }));
    }
  });

  test('is the matches that made the score, newest first, whatever the page size', async () => {
    const all = await pages('ann', 100);
    expect(all).toHaveLength(10);
    expect(all[0]).toMatchObject({ matchId: 'm9', points: 9, total: 45 });
    expect(all.at(-1)).toMatchObject({ matchId: 'm0', points: 0, total: 0 });
    for (const limit of [1, 3, 5, 9, 10, 11]) expect(await pages('ann', limit)).toEqual(all);
  });

  test('leaves out what is void', async () => {
    await twin.boards.close();
    const other = await twinLeaderboard({ storage: twin.log.storage });
    await other.leaderboard.closePeriod('default', '2026-11');
    const late = await twin.leaderboard.recordScore(score('ann', 9, { match_id: 'late' }));
    expect(late.kind).toBe('void');
    expect(await pages('ann', 4)).toHaveLength(10);
    await other.close();
  });

  test('is empty for a player without a score', async () => {
    expect(await pages('nobody', 4)).toEqual([]);
  });

  test.each(['', 'x', '-1', '1.5', '99999999999999999', '999999'])(
    'refuses the cursor %j',
    async (cursor) => {
      const page = await twin.leaderboard.history({ userId: 'nobody', limit: 2, cursor });
      expect(page).toMatchObject({ kind: 'refused', reason: 'invalid-cursor' });
    },
  );
});

test('positions of a batch over several partitions cover all of it', async () => {
  const spread = await twinLeaderboard({ partitions: 4 });
  const inputs = Array.from({ length: 50 }, (_, n) => score(`user-${n}`, n));
  const outcome = await spread.leaderboard.recordScores(inputs);
  if (outcome.kind !== 'batch') throw new Error('refused');
  const partitions = new Set(
    outcome.results.map((result) =>
      Object.keys(decodeCheckpoint((result as { position: string }).position) as Checkpoint).join(),
    ),
  );
  expect(partitions.size).toBeGreaterThan(1);
  await spread.close();
});
