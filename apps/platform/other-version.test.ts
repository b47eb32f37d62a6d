import { leaderboardProjection } from '@annals/leaderboard';
import { embeddedSite, openEmbedded } from '@annals/projector';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { newerProgram, olderProjectorTells } from './testing/newer-program.ts';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { operate } from './testing/operate.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { until } from './testing/until.ts';

// A rebuild and its promotion, on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let platform: OpenPlatform;
beforeAll(async () => {
  platform = await openPlatform({ visibleMsMax: 300 });
});
afterAll(() => platform.close());

const post = (match_id: string) =>
  platform.call('POST /v1/scores', { body: { user_id: 'ann', points: 5, match_id } });
const read = () => platform.call('GET /v1/scores/ann');

describe('a service of an older version, when a newer generation becomes live', () => {
  it('does not read what it does not know: 503 that says what to do; writes go on', async () => {
    expect((await post('m1')).status).toBe(200);
    await newerProgram(embeddedSite(platform.folder));
    const refused = await until('it hears of it', async () => {
      const answer = await read();
      return answer.status === 503 ? answer : undefined;
    });
    expect(refused.body.code).toBe('unavailable');
    expect(refused.body.detail).toContain(
      'the read model was made by version 2, this program has version 1: use a newer program',
    );
    expect(await post('m2')).toMatchObject({ status: 202, body: { total: null } });
    expect(await platform.call('GET /readyz')).toMatchObject({
      status: 200,
      body: { status: 'degraded' },
    });
  });

  it('its projector leaves the newer generation alone', async () => {
    const up = (generation: string) =>
      `annals_projection_up{projection="leaderboard",generation="${generation}",worker="0"}`;
    const body = await until('its thread has told', async () => {
      const text = String((await platform.call('GET /metrics')).body);
      return text.includes(up('g2')) ? text : undefined;
    });
    expect(body).toContain(up('g1'));
    expect(body).toContain(`${up('g2')} 0\n`);
    expect(body).not.toMatch(/annals_projection_events_total\{.*generation="g2"/);
    const site = await openEmbedded({ dataFolder: platform.folder });
    const opened = await site.storeFor(leaderboardProjection).open(2);
    if (opened === 'lost') throw new Error('g2 is gone');
    const scores = { categories: leaderboardProjection.categories };
    const missed = await site.log.read(await opened.checkpoint(), scores);
    expect(missed.events.map(({ type }) => type)).toContain('score-recorded');
    await opened.close();
    await site.close();
  });

  it('serves again when its own generation is made live', async () => {
    expect(await operate(platform.folder, 'rebuild')).toBe('rebuilt');
    expect(await operate(platform.folder, 'promote')).toBe('promoted');
    const answer = await until('it reads', async () => {
      const found = await read();
      return found.status === 200 ? found : undefined;
    });
    expect(answer.body.user_info.score).toBe(10);
  });
});

it('a projector by itself says that the live generation is not followed: log, readiness, metrics, status', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  await olderProjectorTells({ ANNALS_DATA: folder.path });
});
