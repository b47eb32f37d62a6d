import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform();
  for (const [user_id, points] of [
    ['ann', 3],
    ['bob', 2],
  ] as const) {
    await platform.call('POST /v1/scores', { body: { user_id, points, match_id: 'm1' } });
  }
});
afterAll(() => platform.close());

const put = (user: string, body: object) => platform.call(`PUT /v1/players/${user}`, { body });
const erase = (user: string) => platform.call(`DELETE /v1/players/${user}`);
async function top(position: string) {
  const { body } = await platform.call(`GET /v1/scores?min-position=${position}`);
  return body.data;
}

describe('PUT /v1/players/{user_id}', () => {
  it('gives a name and a picture, which every answer shows', async () => {
    const picture = 'https://example.org/ann.png';
    const named = await put('ann', { name: 'Ann', picture });
    expect(named).toMatchObject({
      status: 200,
      body: { user_id: 'ann', user_name: 'Ann', picture },
    });
    const { position } = named.body;
    expect((await top(position))[0]).toMatchObject({ user_name: 'Ann', picture });
    const player = await platform.call('GET /v1/scores/ann');
    expect(player.body.user_info).toMatchObject({ user_name: 'Ann', picture });
    const neighbour = await platform.call('GET /v1/scores/bob');
    expect(neighbour.body.neighbors[0]).toMatchObject({ user_name: 'Ann', picture });
    const friends = await platform.call('POST /v1/scores/ranks', { body: { user_ids: ['ann'] } });
    expect(friends.body.data[0]).toMatchObject({ user_name: 'Ann', picture });
  });

  it('replaces both: a picture that is not given is gone', async () => {
    const { body } = await put('ann', { name: 'Anna' });
    expect((await top(body.position))[0]).toMatchObject({ user_name: 'Anna', picture: null });
  });

  it('takes names of all scripts, and players without a score', async () => {
    const { body } = await put('zoe', { name: 'Zoë 😀 宇宙' });
    await platform.call('POST /v1/scores', { body: { user_id: 'zoe', points: 9, match_id: 'm1' } });
    expect((await top(body.position))[0]).toMatchObject({
      user_id: 'zoe',
      user_name: 'Zoë 😀 宇宙',
    });
  });

  it('can be read back; who was never named is 404', async () => {
    const picture = 'https://example.org/eva.png';
    const { position } = (await put('eva', { name: 'Eva', picture })).body;
    const { status, body } = await platform.call(`GET /v1/players/eva?min-position=${position}`);
    expect(status).toBe(200);
    expect(body).toEqual({
      user_id: 'eva',
      user_name: 'Eva',
      picture,
      as_of: expect.any(String),
    });
    expect(body.as_of >= position).toBe(true);
    // He has a score, and no name.
    for (const nobody of ['bob', 'never-seen']) {
      expect(await platform.call(`GET /v1/players/${nobody}`)).toMatchObject({
        status: 404,
        body: { code: 'unknown-player' },
      });
    }
  });

  it.each([
    'javascript:alert(1)',
    'ftp://example.org/x.png',
    'not a url',
    'data:image/png;base64,AAAA',
  ])('refuses %s as a picture', async (picture) => {
    expect(await put('ann', { name: 'Ann', picture })).toMatchObject({
      status: 400,
      body: { code: 'invalid-input', errors: [{ in: 'body', field: 'picture' }] },
    });
  });
});

describe('DELETE /v1/players/{user_id}', () => {
  it('takes the name; the rank stays', async () => {
    expect((await erase('ann')).status).toBe(204);
    const { body } = await platform.call('GET /v1/scores/ann');
    expect(body.user_info).toMatchObject({ user_name: null, picture: null, score: 3 });
    expect(await platform.call('GET /v1/players/ann')).toMatchObject({
      status: 404,
      body: { code: 'unknown-player' },
    });
    const scored = await platform.call('POST /v1/scores', {
      body: { user_id: 'ann', points: 10, match_id: 'm2' },
    });
    expect(scored.body.total).toBe(13);
  });

  it('is final: naming the player again is 409, erasing again is fine', async () => {
    const again = await put('ann', { name: 'Ann' });
    expect(again).toMatchObject({ status: 409, body: { code: 'player-erased' } });
    expect((await erase('ann')).status).toBe(204);
  });

  it('takes a player who was never named, or never seen: they cannot be named later', async () => {
    expect((await erase('ghost')).status).toBe(204);
    expect((await put('ghost', { name: 'Ghost' })).status).toBe(409);
  });
});
