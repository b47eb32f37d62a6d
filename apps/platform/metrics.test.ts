import { memoryEventLog, type NewEvent } from '@annals/event-log';
import type { GenerationStatus, ShareStatus } from '@annals/projection';
import { projections } from '@annals/projector';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerProjectionMetrics } from './metrics.ts';
import { type OpenPlatform, openPlatform } from './testing/open-platform.ts';
import { until } from './testing/until.ts';

describe('/metrics of a platform', () => {
  let platform: OpenPlatform;
  beforeAll(async () => {
    platform = await openPlatform();
  });
  afterAll(() => platform.close());

  const figure = async (name: string): Promise<number | undefined> => {
    const { body } = await platform.call('GET /metrics');
    const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(body);
    return found ? Number(found[1]) : undefined;
  };

  it('has what the log has stored, and how far the read model is', async () => {
    const before = (await figure('annals_log_events_total')) as number;
    for (let match = 0; match < 5; match += 1) {
      const body = { user_id: 'ann', points: 1, match_id: `m${match}` };
      await platform.call('POST /v1/scores', { body });
      await platform.call('POST /v1/scores', { body });
    }
    expect(await figure('annals_log_events_total')).toBe(before + 5);
    expect(await figure('annals_log_duplicates_total')).toBeGreaterThanOrEqual(5);
    expect(await figure('annals_log_queue_appends')).toBe(0);
    const up = 'annals_projection_up';
    await until('a projector', async () => ((await figure(up)) === 1 ? true : undefined));
    await until('it to catch up', async () => {
      const isThere = (await figure('annals_projection_events_total')) === before + 5;
      return isThere && (await figure('annals_projection_lag_events')) === 0 ? true : undefined;
    });
    expect(await figure('annals_projection_lag_seconds')).toBe(0);
    expect(await figure('annals_projection_parked')).toBe(0);
  });

  it('needs no key from this machine, and the scope ops:read from elsewhere', async () => {
    const { server } = platform;
    expect((await server.inject('/metrics')).statusCode).toBe(200);
    const headers = { 'x-forwarded-for': '198.51.100.7' };
    expect((await server.inject({ url: '/metrics', headers })).statusCode).toBe(401);
  });
});

describe('the lag of a projection', () => {
  const event = (at: number): NewEvent => ({
    id: `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
    type: 'score-recorded',
    schemaVersion: 1,
    data: '{}',
    contentHash: String(at).padStart(64, '0'),
    occurredAt: 0,
  });
  const share: ShareStatus = {
    projection: 'leaderboard',
    generation: 3,
    worker: 1,
    state: 'catching-up',
    detail: undefined,
    checkpoint: {},
    caughtUp: false,
    events: 0,
    batches: 0,
    lastBatchEvents: 0,
    lastBatchRows: 0,
    lastRecordedAt: 10_000,
    parked: 2,
    errors: 0,
  };

  it('is counted in events of its categories behind the checkpoint, and in seconds', async () => {
    const log = memoryEventLog({ clock: { now: () => 10_000 } });
    for (const at of [1, 2, 3]) await log.append('scores-a~1', [event(at)], { expected: 'any' });
    await log.append('key-a', [event(4)], { expected: 'any' });
    const first = await log.read('start', {}, { limit: 1 });
    let shares = [{ ...share, checkpoint: first.checkpoint }];
    const status = (): GenerationStatus[] => [
      { projection: 'leaderboard', generation: 3, isLive: true, kind: 'followed', shares },
      { projection: 'leaderboard', generation: 4, isLive: false, kind: 'building' },
    ];
    const registry = new Registry() as Parameters<typeof registerProjectionMetrics>[0];
    registerProjectionMetrics(registry, { log, projections, status, now: () => 12_500 });
    const labels = '{projection="leaderboard",generation="g3",worker="1"}';
    const text = await registry.metrics();
    expect(text).toContain(`annals_projection_lag_events${labels} 2\n`);
    expect(text).toContain(`annals_projection_lag_seconds${labels} 2.5\n`);
    expect(text).toContain(`annals_projection_parked${labels} 2\n`);
    expect(text).toContain(`annals_projection_up${labels} 1\n`);
    expect(text).not.toContain('g4');

    shares = [{ ...share, caughtUp: true, state: 'live' }];
    expect(await registry.metrics()).toContain(`annals_projection_lag_events${labels} 0\n`);
    shares = [{ ...share, state: 'halted' }];
    expect(await registry.metrics()).toContain(`annals_projection_up${labels} 0\n`);
    shares = [];
    expect(await registry.metrics()).not.toContain('g3');
    await log.close();
  });
});
