import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { SettableClock } from './testing/settable-clock.ts';

const clock = new SettableClock('2026-11-24T12:00:00Z');
let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform({ clock });
});
afterAll(() => platform.close());

const post = (body: object) => platform.call('POST /v1/scores', { body });
const scoreOf = async (user: string, more = '') => {
  const { body } = await platform.call(`GET /v1/scores/${user}?around=0${more}`);
  return body.user_info?.score;
};

describe('POST /v1/scores', () => {
  it('answers the total at that position, and the position', async () => {
    const first = await post({ user_id: 'ann', points: 3, match_id: 'm1' });
    const second = await post({ user_id: 'ann', points: 4, match_id: 'm2' });
    expect(first).toMatchObject({ status: 200, body: { total: 3, duplicate: false } });
    expect(second).toMatchObject({ status: 200, body: { total: 7, duplicate: false } });
    expect(typeof first.body.position).toBe('string');
    expect(first.body.position < second.body.position).toBe(true);
  });

  it('adds nothing for the same match again, however much came in between', async () => {
    const first = await post({ user_id: 'bea', points: 5, match_id: 'm1' });
    for (let match = 0; match < 30; match += 1) {
      await post({ user_id: 'bea', points: 1, match_id: `later-${match}` });
    }
    clock.set('2026-12-24T12:00:00Z');
    const again = await post({ user_id: 'bea', points: 5, match_id: 'm1' });
    clock.set('2026-11-24T13:00:00Z');
    expect(again).toMatchObject({ status: 200, body: { ...first.body, duplicate: true } });
    expect(await scoreOf('bea')).toBe(35);
  });

  it('refuses the same match with other points, and takes it with another time: nothing added', async () => {
    const occurred_at = '2026-11-20T10:00:00Z';
    await post({ user_id: 'cid', points: 5, match_id: 'm1', occurred_at });
    const points = await post({ user_id: 'cid', points: 6, match_id: 'm1', occurred_at });
    const time = await post({
      user_id: 'cid',
      points: 5,
      match_id: 'm1',
      occurred_at: '2026-11-20T10:00:01Z',
    });
    expect(points).toMatchObject({ status: 409, body: { code: 'score-key-reused' } });
    expect(time).toMatchObject({ status: 200, body: { duplicate: true, total: 5 } });
    const { body } = await platform.call('GET /v1/scores/cid/history');
    expect(body.data).toMatchObject([{ occurred_at: '2026-11-20T10:00:00.000Z' }]);
    expect(await scoreOf('cid')).toBe(5);
  });

  it('takes the same match of another player or another leaderboard as another score', async () => {
    await platform.call('PUT /v1/leaderboards/arena', { body: {} });
    await post({ user_id: 'dan', points: 1, match_id: 'shared' });
    await post({ user_id: 'eva', points: 2, match_id: 'shared' });
    const arena = { user_id: 'dan', points: 8, match_id: 'shared', leaderboard: 'arena' };
    expect((await post(arena)).body).toMatchObject({ total: 8, duplicate: false });
    expect(await scoreOf('dan')).toBe(1);
    expect(await scoreOf('dan', '&leaderboard=arena')).toBe(8);
  });

  it('counts each of many requests at once, and one that is sent ten times once', async () => {
    const sent = Array.from({ length: 50 }, (_, match) => ({
      user_id: 'fay',
      points: match,
      match_id: `m${match}`,
    }));
    const answers = await Promise.all(sent.flatMap((body) => [post(body), post(body)]));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.filter(({ body }) => body.duplicate)).toHaveLength(50);
    expect(await scoreOf('fay')).toBe((49 * 50) / 2);
    const totals = answers.filter(({ body }) => !body.duplicate).map(({ body }) => body.total);
    expect(Math.max(...totals)).toBe((49 * 50) / 2);
  });

  it('refuses a leaderboard that was never made: 404', async () => {
    const answer = await post({ user_id: 'ann', points: 1, match_id: 'x', leaderboard: 'nowhere' });
    expect(answer).toMatchObject({ status: 404, body: { code: 'unknown-board' } });
  });

  it('lets no total leave the safe integers: 409, and the score stays', async () => {
    const points = 1_000_000_000_000;
    const matches = Math.floor(Number.MAX_SAFE_INTEGER / points);
    const rest = Number.MAX_SAFE_INTEGER - matches * points;
    for (let first = 0; first < matches; first += 1_000) {
      const scores = Array.from({ length: Math.min(1_000, matches - first) }, (_, at) => ({
        user_id: 'max',
        points,
        match_id: `m${first + at}`,
      }));
      const answer = await platform.call('POST /v1/scores/batch', { body: { scores } });
      expect(answer.status).toBe(200);
    }
    await post({ user_id: 'max', points: rest - 1, match_id: 'rest' });
    const over = await post({ user_id: 'max', points: 2, match_id: 'over' });
    expect(over).toMatchObject({
      status: 409,
      body: { code: 'total-out-of-range', duplicate: false },
    });
    expect(await scoreOf('max')).toBe(Number.MAX_SAFE_INTEGER - 1);
    const exact = await post({ user_id: 'max', points: 1, match_id: 'exact' });
    expect(exact.body.total).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('POST /v1/scores/batch', () => {
  const batch = (scores: readonly object[]) =>
    platform.call('POST /v1/scores/batch', { body: { scores } });

  it('gives a result for each item, in their order', async () => {
    const scores = Array.from({ length: 200 }, (_, at) => ({
      user_id: `batch-${at % 90}`,
      points: at,
      match_id: `match-${at}`,
    }));
    const { status, body } = await batch(scores);
    expect(status).toBe(200);
    expect(body.data.map((item: { match_id: string }) => item.match_id)).toEqual(
      scores.map((score) => score.match_id),
    );
    expect(body.data[0]).toMatchObject({ result: 'recorded', total: 0, problem: null });
    expect(body.data[90]).toMatchObject({ user_id: 'batch-0', total: 90 });
    expect(body.data[180]).toMatchObject({ user_id: 'batch-0', total: 270 });
  });

  it('sent again completes what is missing, and adds nothing twice', async () => {
    const item = (match: number) => ({ user_id: 'gus', points: 1, match_id: `m${match}` });
    await batch([item(1), item(2)]);
    const { body } = await batch([item(1), item(2), item(3), { ...item(4), user_id: 'hal' }]);
    const results = body.data.map(({ result }: { result: string }) => result);
    expect(results).toEqual(['duplicate', 'duplicate', 'recorded', 'recorded']);
    expect(await scoreOf('gus')).toBe(3);
    const whole = await batch([item(1), item(2), item(3), { ...item(4), user_id: 'hal' }]);
    expect(whole.body.data.every(({ result }: { result: string }) => result === 'duplicate')).toBe(
      true,
    );
    expect(await scoreOf('gus')).toBe(3);
  });

  it('refuses single items by the codes of single scores, and stores the others', async () => {
    await post({ user_id: 'ida', points: 1, match_id: 'm1' });
    const { status, body } = await batch([
      { user_id: 'ida', points: 2, match_id: 'm1' },
      { user_id: 'ida', points: 2, match_id: 'm2' },
    ]);
    expect(status).toBe(200);
    expect(body.data[0]).toMatchObject({
      result: 'refused',
      position: null,
      problem: { code: 'score-key-reused' },
    });
    expect(body.data[1]).toMatchObject({ result: 'recorded', total: 3 });
  });

  it('is checked as a whole: one bad item, and nothing is stored', async () => {
    const good = { user_id: 'jan', points: 2, match_id: 'm1' };
    const refused = [
      [good, { ...good, match_id: 'm2', points: 1.5 }],
      [good, { ...good, match_id: 'm2', occurred_at: '2199-01-01T00:00:00Z' }],
      [good, { ...good, points: 3 }],
      [good, { ...good, match_id: 'm2', leaderboard: 'nowhere' }],
      Array.from({ length: 1_001 }, (_, at) => ({ ...good, match_id: `m${at}` })),
      [],
    ];
    for (const scores of refused) {
      const { status, body } = await batch(scores);
      expect([400, 404]).toContain(status);
      expect(body.status).toBe(status);
    }
    expect(await scoreOf('jan')).toBeUndefined();
  });

  it('takes 1,000 scores, each with the longest ids', async () => {
    const scores = Array.from({ length: 1_000 }, (_, at) => ({
      user_id: `${at}`.padEnd(120, 'u'),
      points: 1_000_000_000_000,
      match_id: `${at}`.padEnd(128, 'm'),
      occurred_at: '2026-11-20T10:00:00.000Z',
    }));
    const { status, body } = await batch(scores);
    expect(status).toBe(200);
    expect(body.data.every(({ result }: { result: string }) => result === 'recorded')).toBe(true);
  });
});

describe('occurred_at', () => {
  it('decides the period: a late score goes to its own', async () => {
    const late = { user_id: 'kim', points: 5, match_id: 'm1', occurred_at: '2026-09-30T23:59:59Z' };
    expect((await post(late)).body.total).toBe(5);
    expect((await post({ user_id: 'kim', points: 2, match_id: 'm2' })).body.total).toBe(2);
    expect(await scoreOf('kim', '&period=2026-09')).toBe(5);
    expect(await scoreOf('kim')).toBe(2);
  });

  it('is read with its zone', async () => {
    const occurred_at = '2026-10-31T22:30:00-03:00';
    await post({ user_id: 'lea', points: 1, match_id: 'm1', occurred_at });
    expect(await scoreOf('lea', '&period=2026-11')).toBe(1);
    expect(await scoreOf('lea', '&period=2026-10')).toBeUndefined();
  });

  it('may be a little in the future, not more', async () => {
    const soon = await post({
      user_id: 'moe',
      points: 1,
      match_id: 'm1',
      occurred_at: '2026-11-25T11:00:00Z',
    });
    expect(soon.status).toBe(200);
    const far = await post({
      user_id: 'moe',
      points: 1,
      match_id: 'm2',
      occurred_at: '2026-11-27T11:00:00Z',
    });
    expect(far).toMatchObject({
      status: 400,
      body: {
        code: 'occurred-at-out-of-range',
        errors: [{ in: 'body', field: 'occurred_at' }],
      },
    });
  });
});
