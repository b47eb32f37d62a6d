import type { GenerationStore } from '@annals/projection';
import { openEmbedded, projectionNamed } from '@annals/projector';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

let platform: OpenPlatform;
/** Another one on the same folder, which does not wait for long. */
let hasty: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform();
  hasty = await openPlatform({ folder: platform.folder, visibleMsMax: 200 });
});
afterAll(async () => {
  await hasty.stop();
  await platform.close();
});

const post = (user_id: string, match_id: string, points = 1, at = platform) =>
  at.call('POST /v1/scores', { body: { user_id, points, match_id } });
const get = (url: string, headers: { readonly [name: string]: string } = {}) =>
  platform.call(`GET ${url}`, { headers });

/** Runs `use` while the read model is held where it stands, as a comparison of generations holds it. */
async function whileHeld<T>(use: () => Promise<T>): Promise<T> {
  const embedded = await openEmbedded({ dataFolder: platform.folder });
  const store = embedded.storeFor(projectionNamed('leaderboard')!);
  const generation = (await store.open(1)) as GenerationStore;
  try {
    await generation.hold(await generation.checkpoint(), Date.now() + 60_000);
    return await use();
  } finally {
    await generation.unhold();
    await embedded.close();
  }
}

describe('min-position', () => {
  it('is taken in the query and in a header: the answer covers it', async () => {
    const { position } = (await post('ann', 'm1')).body;
    const inQuery = await get(`/v1/scores?min-position=${position}`);
    const inHeader = await get('/v1/scores/ann', { 'min-position': position });
    const history = await get(`/v1/scores/ann/history?min-position=${position}`);
    const ranks = await platform.call(`POST /v1/scores/ranks?min-position=${position}`, {
      body: { user_ids: ['ann'] },
    });
    for (const answer of [inQuery, inHeader, history, ranks]) {
      expect(answer.status).toBe(200);
      expect(answer.body.as_of >= position).toBe(true);
    }
  });

  it('takes what a naming, a close and another answer gave', async () => {
    const named = await platform.call('PUT /v1/players/ann', { body: { name: 'Ann' } });
    const read = await get(`/v1/scores/ann?min-position=${named.body.position}`);
    expect(read.body.user_info.user_name).toBe('Ann');
    const closed = await platform.call('POST /v1/leaderboards/default/periods/2020-01/close');
    const after = await get(`/v1/scores?min-position=${closed.body.position}`);
    expect(after.status).toBe(200);
    expect((await get(`/v1/scores?min-position=${after.body.as_of}`)).status).toBe(200);
  });

  it('that is no position is 400', async () => {
    for (const text of ['yesterday', '0', '0:', '0:x y', ':1', '0:1,0:2']) {
      const query = `min-position=${encodeURIComponent(text)}`;
      expect(await get(`/v1/scores?${query}`)).toMatchObject({
        status: 400,
        body: { code: 'invalid-position' },
      });
    }
  });

  it('that lies beyond the end of the log is 409 at once: no wait would bring it', async () => {
    const { position } = (await post('zoe', 'm1')).body;
    const [partition, digits] = position.split(':');
    const ahead = `${partition}:${String(Number(digits) + 1_000).padStart(digits.length, '0')}`;
    for (const text of [ahead, `${position},7:${digits}`]) {
      expect(await get(`/v1/scores?min-position=${text}`)).toMatchObject({
        status: 409,
        body: { code: 'position-ahead' },
      });
    }
    // At once, so also before a read model that is behind.
    const answer = await whileHeld(() => platform.call(`GET /v1/scores?min-position=${ahead}`));
    expect(answer.body.code).toBe('position-ahead');
  });

  it('that is not reached in time is 503 with Retry-After, and 200 once it is', async () => {
    const url = await whileHeld(async () => {
      const written = await post('bob', 'm1', 1, hasty);
      const asked = `GET /v1/scores/bob?min-position=${written.body.position}`;
      const late = await hasty.call(asked);
      expect(late).toMatchObject({ status: 503, body: { code: 'not-there-yet' } });
      expect(late.headers['retry-after']).toBe('1');
      // Without it the same read is answered, by what there is.
      expect(await get('/v1/scores/bob')).toMatchObject({
        status: 404,
        body: { code: 'no-score' },
      });
      expect((await get('/v1/scores')).status).toBe(200);
      return asked;
    });
    const read = await until('the position', async () => {
      const again = await hasty.call(url);
      return again.status === 200 ? again : undefined;
    });
    expect(read.body.user_info.score).toBe(1);
  });
});

describe('a write, while the read model is behind', () => {
  it('is stored: 202 with the position, and no total', async () => {
    await whileHeld(async () => {
      const written = await post('cid', 'm1', 5, hasty);
      expect(written).toMatchObject({ status: 202, body: { total: null, duplicate: false } });
      const again = await post('cid', 'm1', 5, hasty);
      expect(again).toMatchObject({
        status: 202,
        body: { total: null, duplicate: true, position: written.body.position },
      });
      const other = await post('cid', 'm1', 6, hasty);
      expect(other).toMatchObject({ status: 409, body: { code: 'score-key-reused' } });
    });
    await until('the total', async () => {
      const again = await post('cid', 'm1', 5);
      return (again.status === 200 && again.body.total === 5) || undefined;
    });
  });

  it('an erasure is 202 until no read shows the name any more', async () => {
    await platform.call('PUT /v1/players/dan', { body: { name: 'Dan' } });
    await post('dan', 'm1');
    await whileHeld(async () => {
      expect((await hasty.call('DELETE /v1/players/dan')).status).toBe(202);
    });
    await until('the erasure', async () => {
      const { body } = await get('/v1/scores/dan');
      return body.user_info.user_name === null || undefined;
    });
    expect((await platform.call('DELETE /v1/players/dan')).status).toBe(204);
  });
});

describe('as_of', () => {
  it('is the checkpoint the answer is good for: it moves with what is written', async () => {
    const before = (await get('/v1/scores')).body.as_of;
    const { position } = (await post('eva', 'm1')).body;
    const after = (await get('/v1/scores')).body.as_of;
    expect(before < position).toBe(true);
    expect(after >= position).toBe(true);
  });
});
