import { randomUUID } from 'node:crypto';
import { type Clock, newId, systemClock } from '@annals/core';
import { describeOn } from '@annals/core/testing';
import { runSiteProjector, siteConfigOf } from '@annals/projector';
import { expect, onTestFinished, test } from 'vitest';
import { configSchema } from './config.ts';
import { startPlatform } from './start.ts';
import { adminKey } from './testing/open-platform.ts';
import { operate } from './testing/operate.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

/** In the middle of a month, so that every clock is in the same one. */
const base = Date.UTC(2026, 10, 15, 12) - performance.now();
const minuteMs = 60_000;

/** A clock that goes as fast as the others, and is wrong by so much. */
function skewed(byMs: number): Clock {
  return {
    now: () => Math.round(base + performance.now() + byMs),
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  };
}

/** Each lease looks over, or far from over, to whoever did not give it. */
const skews = [-20 * minuteMs, 0, 20 * minuteMs];

await describeOn('redis', 'Processes whose clocks differ by twenty minutes', ({ url }) => {
  test('count every score once, and read their own and each other’s writes', async () => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const config = configSchema.parse({
      PORT: '0',
      ANNALS_ROLES: 'api',
      ANNALS_DATA: folder.path,
      ANNALS_ADMIN_KEY: adminKey,
      ANNALS_LOG_LEVEL: 'silent',
      ANNALS_LEADERBOARD_STORE: `${url}?shards=2&prefix=test-${randomUUID()}`,
    });
    const site = siteConfigOf(config);
    const stop = new AbortController();
    const projectors = await Promise.all(
      skews.map((skew) =>
        runSiteProjector({
          ...{ site, clock: skewed(skew), signal: stop.signal },
          holder: `test/${newId()}`,
          onTrouble: () => undefined,
        }),
      ),
    );
    const platforms = await Promise.all(
      skews.map((skew) => startPlatform(config, { clock: skewed(skew), readableMsMax: 30_000 })),
    );
    onTestFinished(async () => {
      stop.abort();
      await Promise.all(projectors.map((one) => one.done));
      await Promise.all(platforms.map((one) => one.stop()));
    });
    const call = async (at: number, method: 'GET' | 'POST', path: string, payload?: object) => {
      const answer = await platforms[at % platforms.length]!.server.inject({
        ...{ method, url: path },
        headers: { authorization: `Bearer ${adminKey}` },
        ...(payload ? { payload } : {}),
      });
      return { status: answer.statusCode, body: answer.json() };
    };

    const scores = new Map<string, number>();
    for (let match = 0; match < 90; match += 1) {
      const user_id = `player-${match % 7}`;
      const points = 1 + (match % 5);
      const score = { user_id, points, match_id: `m${match}` };
      const written = await call(match, 'POST', '/v1/scores', score);
      expect([200, 202]).toContain(written.status);
      scores.set(user_id, (scores.get(user_id) ?? 0) + points);
      const path = `/v1/scores/${user_id}?min-position=${written.body.position}`;
      const read = await until('a read', async () => {
        const answer = await call(match + 1, 'GET', path);
        return answer.status === 200 ? answer : undefined;
      });
      expect(read.body.user_info.score).toBe(scores.get(user_id));
    }
    expect(await operate(site, 'rebuild')).toBe('rebuilt');
    expect(await operate(site, 'verify')).toBe('verified');
    expect(await operate(site, 'promote')).toBe('promoted');
    const { body } = await call(0, 'GET', '/v1/scores?limit=100');
    const rows: { user_id: string; score: number }[] = body.data;
    expect(new Map(rows.map(({ user_id, score }) => [user_id, score]))).toEqual(scores);
  }, 240_000);
});
