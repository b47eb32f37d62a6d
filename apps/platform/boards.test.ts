import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { SettableClock } from './testing/settable-clock.ts';

// Ahead of every machine's clock: the projector's thread stamps its events by that one, and stamps never
// go back, so that behind it all scores would be recorded in the same millisecond.
const clock = new SettableClock('2054-11-24T12:00:00Z');
let platform: OpenPlatform;
let match = 0;

beforeAll(async () => {
  platform = await openPlatform({ clock });
});
afterAll(() => platform.close());

const get = (url: string) => platform.call(`GET ${url}`);

async function score(leaderboard: string, user_id: string, points: number, more: object = {}) {
  match += 1;
  const body = { leaderboard, user_id, points, match_id: `m${match}`, ...more };
  const answer = await platform.call('POST /v1/scores', { body });
  expect(answer.status).toBe(200);
  return answer.body;
}

async function makeBoard(id: string, settings: object = {}) {
  const answer = await platform.call(`PUT /v1/leaderboards/${id}`, { body: settings });
  expect(answer.status).toBe(201);
}

interface Row {
  readonly user_id: string;
  readonly rank: number;
  readonly score: number;
}

const ranks = (rows: readonly Row[]) => rows.map(({ user_id, rank }) => [user_id, rank]);

describe('GET /v1/scores', () => {
  it('without parameters is the top 10 of the current month on the default leaderboard', async () => {
    for (let player = 1; player <= 12; player += 1) await score('default', `p${player}`, player);
    await score('default', 'past', 1_000, { occurred_at: '2054-10-31T23:59:59Z' });
    const { status, body } = await get('/v1/scores');
    expect(status).toBe(200);
    expect(body).toMatchObject({ total: 10, players: 12, period: '2054-11' });
    expect(body.data[0]).toEqual({
      user_id: 'p12',
      user_name: null,
      picture: null,
      rank: 1,
      score: 12,
    });
    expect(body.data.map(({ rank }: Row) => rank)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(typeof body.as_of).toBe('string');
    const past = await get('/v1/scores?period=2054-10');
    expect(past.body).toMatchObject({ total: 1, players: 1, period: '2054-10' });
  });

  it('gives pages by limit and offset, and an empty one behind the end', async () => {
    const page = await get('/v1/scores?limit=3&offset=10');
    expect(ranks(page.body.data)).toEqual([
      ['p2', 11],
      ['p1', 12],
    ]);
    expect(page.body).toMatchObject({ total: 2, players: 12 });
    const behind = await get('/v1/scores?offset=1000000000');
    expect(behind.body).toMatchObject({ data: [], total: 0, players: 12 });
  });

  it('is empty for a period without scores, and says so of an unknown leaderboard', async () => {
    const empty = await get('/v1/scores?period=2020-01');
    expect(empty).toMatchObject({ status: 200, body: { data: [], players: 0 } });
    const unknown = await get('/v1/scores?leaderboard=nowhere');
    expect(unknown).toMatchObject({ status: 404, body: { code: 'unknown-board' } });
    for (const period of ['2054-W48', '2054-11-24', 'all', '2054-13']) {
      const wrong = await get(`/v1/scores?period=${period}`);
      expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid-period' } });
    }
  });
});

describe('ties', () => {
  beforeAll(async () => {
    await makeBoard('ties');
    for (const [user, points] of [
      ['first', 9],
      ['second', 5],
      ['third', 5],
      ['last', 1],
    ] as const) {
      await score('ties', user, points);
    }
  });

  it('rank 1, 2, 2, 4; with ties=dense 1, 2, 2, 3', async () => {
    const standard = await get('/v1/scores?leaderboard=ties');
    expect(standard.body.data.map(({ rank }: Row) => rank)).toEqual([1, 2, 2, 4]);
    const dense = await get('/v1/scores?leaderboard=ties&ties=dense');
    expect(dense.body.data.map(({ rank }: Row) => rank)).toEqual([1, 2, 2, 3]);
    const player = await get('/v1/scores/last?leaderboard=ties');
    expect(player.body.user_info.rank).toBe(4);
    const densePlayer = await get('/v1/scores/last?leaderboard=ties&ties=dense');
    expect(densePlayer.body.user_info.rank).toBe(3);
  });

  it('within a tie, whoever reached the score first stands first', async () => {
    const before = await get('/v1/scores?leaderboard=ties');
    expect(before.body.data.map(({ user_id }: Row) => user_id)).toEqual([
      'first',
      'second',
      'third',
      'last',
    ]);
    await score('ties', 'second', 1);
    await score('ties', 'second', -1);
    const after = await get('/v1/scores?leaderboard=ties');
    expect(after.body.data.map(({ user_id }: Row) => user_id)).toEqual([
      'first',
      'third',
      'second',
      'last',
    ]);
  });
});

describe('GET /v1/scores/{user_id}', () => {
  beforeAll(async () => {
    await makeBoard('wide');
    for (let player = 1; player <= 20; player += 1) {
      await score('wide', `w${player}`, 100 - player);
    }
  });

  const around = async (user: string, more = '') => {
    const { body } = await get(`/v1/scores/${user}?leaderboard=wide${more}`);
    return body.neighbors.map(({ user_id }: Row) => user_id);
  };

  it('gives the four above and the four below', async () => {
    expect(await around('w10')).toEqual(['w6', 'w7', 'w8', 'w9', 'w11', 'w12', 'w13', 'w14']);
    expect(await around('w10', '&around=1')).toEqual(['w9', 'w11']);
    expect(await around('w10', '&around=0')).toEqual([]);
    expect(await around('w10', '&around=50')).toHaveLength(19);
  });

  it('gives what there is at both ends', async () => {
    expect(await around('w1')).toEqual(['w2', 'w3', 'w4', 'w5']);
    expect(await around('w3')).toEqual(['w1', 'w2', 'w4', 'w5', 'w6', 'w7']);
    expect(await around('w20')).toEqual(['w16', 'w17', 'w18', 'w19']);
    expect(await around('w18')).toEqual(['w14', 'w15', 'w16', 'w17', 'w19', 'w20']);
  });

  it('gives everybody else on a board with fewer than nine players', async () => {
    await makeBoard('small');
    await score('small', 'only', 5);
    const alone = await get('/v1/scores/only?leaderboard=small');
    expect(alone.body).toMatchObject({
      user_info: { user_id: 'only', score: 5, rank: 1, percentile: 0, matches: 1 },
      neighbors: [],
      players: 1,
    });
    for (const [user, points] of [
      ['b', 4],
      ['c', 7],
      ['d', 5],
    ] as const) {
      await score('small', user, points);
    }
    const { body } = await get('/v1/scores/only?leaderboard=small');
    expect(ranks(body.neighbors)).toEqual([
      ['c', 1],
      ['d', 2],
      ['b', 4],
    ]);
  });

  it('percentile is the share of players with a strictly lower score', async () => {
    const percentile = async (user: string, leaderboard: string) =>
      (await get(`/v1/scores/${user}?leaderboard=${leaderboard}`)).body.user_info.percentile;
    expect(await percentile('w1', 'wide')).toBe(95);
    expect(await percentile('w20', 'wide')).toBe(0);
    expect(await percentile('c', 'small')).toBe(75);
    expect(await percentile('only', 'small')).toBe(25);
    expect(await percentile('d', 'small')).toBe(25);
  });

  it('is 404 for a player without a score', async () => {
    const answer = await get('/v1/scores/nobody?leaderboard=wide');
    expect(answer).toMatchObject({ status: 404, body: { code: 'no-score' } });
    const lastMonth = await get('/v1/scores/w1?leaderboard=wide&period=2054-10');
    expect(lastMonth).toMatchObject({ status: 404, body: { code: 'no-score' } });
  });

  it('takes any id as it is', async () => {
    const id = 'a/b?c#d %41 ünïcodé 😀 __proto__';
    await score('wide', id, 1);
    const answer = await get(`/v1/scores/${encodeURIComponent(id)}?leaderboard=wide`);
    expect(answer.body.user_info).toMatchObject({ user_id: id, rank: 21 });
  });
});

describe('GET /v1/scores/{user_id}/history', () => {
  it('gives the matches that made the score, newest first, in cursor pages', async () => {
    await makeBoard('history');
    for (let at = 1; at <= 7; at += 1) {
      await score('history', 'ann', at, { match_id: `game-${at}` });
      await score('history', `other-${at}`, 1);
    }
    const seen: { match_id: string; points: number; total: number }[] = [];
    let cursor = '';
    let pages = 0;
    do {
      const { status, body } = await get(
        `/v1/scores/ann/history?leaderboard=history&limit=3${cursor && `&cursor=${cursor}`}`,
      );
      expect(status).toBe(200);
      seen.push(...body.data);
      cursor = body.next_cursor ?? '';
      pages += 1;
    } while (cursor !== '');
    expect(pages).toBe(3);
    expect(seen.map(({ match_id, points, total }) => [match_id, points, total])).toEqual([
      ['game-7', 7, 28],
      ['game-6', 6, 21],
      ['game-5', 5, 15],
      ['game-4', 4, 10],
      ['game-3', 3, 6],
      ['game-2', 2, 3],
      ['game-1', 1, 1],
    ]);
  });

  it('is empty for a player without matches, and refuses a cursor of somebody else', async () => {
    const nobody = await get('/v1/scores/nobody/history?leaderboard=history');
    expect(nobody).toMatchObject({ status: 200, body: { data: [], next_cursor: null } });
    for (const cursor of ['nonsense', '-1', '999999', '1e3']) {
      const answer = await get(`/v1/scores/ann/history?leaderboard=history&cursor=${cursor}`);
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-cursor' } });
    }
  });
});

describe('POST /v1/scores/ranks', () => {
  const friends = (body: object) => platform.call('POST /v1/scores/ranks', { body });

  it('ranks friends among themselves and on the whole board', async () => {
    const { body } = await friends({
      user_ids: ['w20', 'w3', 'nobody', 'w9', 'w3'],
      leaderboard: 'wide',
    });
    const rows = body.data.map(({ user_id, rank, board_rank }: Row & { board_rank: number }) => [
      user_id,
      rank,
      board_rank,
    ]);
    expect(rows).toEqual([
      ['w3', 1, 3],
      ['w9', 2, 9],
      ['w20', 3, 20],
    ]);
    expect(body).toMatchObject({ total: 3, players: 21 });
  });

  it('takes up to 500 ids, and dense ranks', async () => {
    const user_ids = Array.from({ length: 500 }, (_, at) => `w${at}`);
    const many = await friends({ user_ids, leaderboard: 'wide' });
    expect(many.body.total).toBe(20);
    const tooMany = await friends({ user_ids: [...user_ids, 'x'], leaderboard: 'wide' });
    expect(tooMany).toMatchObject({ status: 400, body: { errors: [{ field: 'user_ids' }] } });
    const dense = await friends({
      user_ids: ['first', 'second', 'third', 'last'],
      leaderboard: 'ties',
      ties: 'dense',
    });
    expect(dense.body.data.map(({ rank }: Row) => rank)).toEqual([1, 2, 2, 3]);
  });
});

describe('PUT /v1/leaderboards/{id}', () => {
  it('makes a leaderboard once; the same again is fine, other settings are 409', async () => {
    const settings = { operator: 'best', order: 'asc', reset: 'daily' };
    const put = (body: object) => platform.call('PUT /v1/leaderboards/race', { body });
    expect(await put(settings)).toMatchObject({ status: 201, body: { id: 'race', ...settings } });
    expect(await put(settings)).toMatchObject({ status: 200, body: { id: 'race', ...settings } });
    for (const other of [{ operator: 'latest' }, { order: 'desc' }, { reset: 'weekly' }]) {
      expect(await put({ ...settings, ...other })).toMatchObject({
        status: 409,
        body: { code: 'board-settings-fixed' },
      });
    }
  });

  it('is shown with its settings and its current period; one that was never made is 404', async () => {
    await makeBoard('shown', { operator: 'best', order: 'asc', reset: 'weekly' });
    expect(await get('/v1/leaderboards/shown')).toMatchObject({
      status: 200,
      body: {
        ...{ id: 'shown', operator: 'best', order: 'asc', reset: 'weekly' },
        ...{ period: '2054-W48', closed: false },
      },
    });
    expect(await get('/v1/leaderboards/nowhere')).toMatchObject({
      status: 404,
      body: { code: 'unknown-board' },
    });
  });

  it('is listed by id, a page at a time', async () => {
    for (const id of ['list-c', 'list-a', 'list-b']) await makeBoard(id);
    const idsOf = (body: { readonly data: readonly { readonly id: string }[] }) =>
      body.data.map(({ id }) => id);
    const first = (await get('/v1/leaderboards?limit=2&cursor=list')).body;
    expect(idsOf(first)).toEqual(['list-a', 'list-b']);
    expect(first.data[0]).toMatchObject({ reset: 'monthly', period: '2054-11', closed: false });
    const second = (await get(`/v1/leaderboards?limit=2&cursor=${first.next_cursor}`)).body;
    expect(idsOf(second)[0]).toBe('list-c');
    const all = (await get('/v1/leaderboards')).body;
    expect(idsOf(all)).toEqual(idsOf(all).toSorted());
    expect(idsOf(all)).toContain('default');
    expect(all.next_cursor).toBeNull();
  });

  it('default is there from the start: wins, monthly, and its settings are fixed, too', async () => {
    const wins = { operator: 'increment', order: 'desc', reset: 'monthly' };
    const same = await platform.call('PUT /v1/leaderboards/default', { body: wins });
    expect(same).toMatchObject({ status: 200, body: { id: 'default', ...wins } });
    const other = await platform.call('PUT /v1/leaderboards/default', {
      body: { ...wins, reset: 'never' },
    });
    expect(other.status).toBe(409);
  });

  it('best keeps the best score: with order asc the lowest', async () => {
    await makeBoard('laps', { operator: 'best', order: 'asc', reset: 'never' });
    for (const points of [70, 65, 80]) await score('laps', 'ann', points);
    await score('laps', 'bob', 66);
    const { body } = await get('/v1/scores?leaderboard=laps');
    expect(body.period).toBe('all');
    expect(body.data.map(({ user_id, score }: Row) => [user_id, score])).toEqual([
      ['ann', 65],
      ['bob', 66],
    ]);
    const player = await get('/v1/scores/ann?leaderboard=laps');
    expect(player.body.user_info).toMatchObject({ rank: 1, percentile: 50, matches: 3 });
  });

  it('latest keeps the last score', async () => {
    await makeBoard('rating', { operator: 'latest', reset: 'weekly' });
    for (const points of [1_500, 1_520, 1_490]) await score('rating', 'ann', points);
    const { body } = await get('/v1/scores/ann?leaderboard=rating');
    expect(body).toMatchObject({ user_info: { score: 1_490 }, period: '2054-W48' });
  });
});

describe('POST /v1/leaderboards/{id}/periods/{period}/close', () => {
  const close = (period: string) =>
    platform.call(`POST /v1/leaderboards/season/periods/${period}/close`);
  const late = (match_id: string, points = 5) => ({
    leaderboard: 'season',
    user_id: 'ann',
    points,
    match_id,
    occurred_at: '2054-10-15T10:00:00Z',
  });
  const post = (body: object) => platform.call('POST /v1/scores', { body });

  it('until then late scores count; after it they are 409, and the period stays readable', async () => {
    await makeBoard('season');
    expect((await post(late('m1'))).body.total).toBe(5);
    expect(await close('2054-10')).toMatchObject({
      status: 200,
      body: { leaderboard: 'season', period: '2054-10', closed: true },
    });
    expect(await post(late('m2'))).toMatchObject({ status: 409, body: { code: 'period-closed' } });
    const batch = await platform.call('POST /v1/scores/batch', { body: { scores: [late('m3')] } });
    expect(batch.body.data[0]).toMatchObject({
      result: 'refused',
      problem: { code: 'period-closed' },
    });
    const again = await post(late('m1'));
    expect(again).toMatchObject({ status: 200, body: { total: 5, duplicate: true } });
    const now = await post({ ...late('m4'), occurred_at: undefined });
    expect(now.body.total).toBe(5);
    const frozen = await get('/v1/scores?leaderboard=season&period=2054-10');
    expect(frozen.body.closed).toBe(true);
    const history = await get('/v1/scores/ann/history?leaderboard=season&period=2054-10');
    expect(history.body.closed).toBe(true);
    expect((await get('/v1/scores/ann?leaderboard=season')).body.closed).toBe(false);
    expect((await get('/v1/leaderboards/season')).body.closed).toBe(false);
    expect(frozen.body.data).toMatchObject([{ user_id: 'ann', score: 5, rank: 1 }]);
  });

  it('is safe to repeat, and closes only what has begun', async () => {
    expect((await close('2054-10')).status).toBe(200);
    expect(await close('2055-01')).toMatchObject({
      status: 409,
      body: { code: 'period-not-begun' },
    });
    expect(await close('2054-W40')).toMatchObject({
      status: 400,
      body: { code: 'invalid-period' },
    });
    const nowhere = await platform.call('POST /v1/leaderboards/nowhere/periods/2054-10/close');
    expect(nowhere).toMatchObject({ status: 404, body: { code: 'unknown-board' } });
  });

  it('closes the current period, too: what comes later is void', async () => {
    expect((await close('2054-11')).status).toBe(200);
    expect((await get('/v1/leaderboards/season')).body.closed).toBe(true);
    const answer = await post({ ...late('m9'), occurred_at: undefined });
    expect(answer).toMatchObject({ status: 409, body: { code: 'period-closed' } });
    const { body } = await get('/v1/scores/ann?leaderboard=season');
    expect(body.user_info.score).toBe(5);
  });
});

describe('a new month', () => {
  it('begins an empty board, and the old one stays readable', async () => {
    await makeBoard('monthly');
    await score('monthly', 'ann', 5);
    clock.set('2054-12-01T00:00:01Z');
    const fresh = await get('/v1/scores?leaderboard=monthly');
    expect(fresh.body).toMatchObject({ period: '2054-12', players: 0 });
    expect((await score('monthly', 'ann', 2)).total).toBe(2);
    const old = await get('/v1/scores?leaderboard=monthly&period=2054-11');
    expect(old.body.data).toMatchObject([{ user_id: 'ann', score: 5 }]);
    clock.set('2054-11-24T12:00:00Z');
  });
});
