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
      // The log holds more than the projection follows: where reactors begin, for one.
      const followed = (await figure('annals_projection_events_total')) ?? 0;
      return followed >= 5 && (await figure('annals_projection_lag_events')) === 0
        ? true
        : undefined;
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
    leased: true,
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

  let now = 10_000;
  const labels = (generation: number) =>
    `{projection="leaderboard",generation="g${generation}",worker="1"}`;
  const open = async (status: () => readonly GenerationStatus[]) => {
    now = 10_000;
    const log = memoryEventLog({ clock: { now: () => now } });
    for (const at of [1, 2, 3]) {
      await log.append('scores-a~1', [event(at)], { expected: 'any' });
      now += 1_000;
    }
    await log.append('key-a', [event(4)], { expected: 'any' });
    const registry = new Registry() as Parameters<typeof registerProjectionMetrics>[0];
    registerProjectionMetrics(registry, { projections, logOf: () => log, status, now: () => now });
    return { log, registry, first: await log.read('start', {}, { limit: 1 }) };
  };
  const followed = (generation: number, shares: readonly ShareStatus[]): GenerationStatus => {
    return { projection: 'leaderboard', generation, isLive: true, kind: 'followed', shares };
  };

  it('is counted in events of its categories behind the checkpoint, and since the first of them', async () => {
    let shares = [share];
    const { log, registry, first } = await open(() => [
      followed(3, shares),
      { projection: 'leaderboard', generation: 4, isLive: false, kind: 'building' },
    ]);
    shares = [{ ...share, checkpoint: first.checkpoint }];
    const text = await registry.metrics();
    expect(text).toContain(`annals_projection_lag_events${labels(3)} 2\n`);
    // The second event was recorded at 11 s, and it is 13 s.
    expect(text).toContain(`annals_projection_lag_seconds${labels(3)} 2\n`);
    expect(text).toContain(`annals_projection_parked${labels(3)} 2\n`);
    expect(text).toContain(`annals_projection_up${labels(3)} 1\n`);
    expect(text).not.toContain('g4');

    now += 60_000;
    expect(await registry.metrics()).toContain(`annals_projection_lag_seconds${labels(3)} 62\n`);
    shares = [{ ...share, state: 'live', caughtUp: true, checkpoint: await log.head() }];
    const caughtUp = await registry.metrics();
    expect(caughtUp).toContain(`annals_projection_lag_events${labels(3)} 0\n`);
    expect(caughtUp).toContain(`annals_projection_lag_seconds${labels(3)} 0\n`);
    shares = [{ ...share, state: 'halted', checkpoint: first.checkpoint }];
    const halted = await registry.metrics();
    expect(halted).toContain(`annals_projection_up${labels(3)} 0\n`);
    expect(halted).toContain(`annals_projection_lag_events${labels(3)} 2\n`);
    shares = [];
    expect(await registry.metrics()).not.toContain('g3');
    await log.close();
  });

  it('is told by the process that works on it, and by none for a generation that is lost', async () => {
    const without = { ...share, leased: false, checkpoint: {} };
    const { log, registry } = await open(() => [
      followed(3, [{ ...without, state: 'waiting' }]),
      followed(4, [{ ...without, state: 'lost', generation: 4 }]),
    ]);
    const text = await registry.metrics();
    expect(text).not.toMatch(/^annals_projection_lag_\w+\{/m);
    expect(text).not.toMatch(/^annals_projection_parked\{/m);
    const state = (generation: number, name: string) =>
      `annals_projection_state${labels(generation).replace('}', `,state="${name}"}`)} 1\n`;
    expect(text).toContain(state(3, 'waiting'));
    expect(text).toContain(state(4, 'lost'));
    expect(text).toContain(`annals_projection_up${labels(4)} 0\n`);
    await log.close();
  });

  it('its totals are counters, and say what the share says at each scrape', async () => {
    let events = 5;
    const { log, registry } = await open(() => [followed(3, [{ ...share, events }])]);
    const line = () => `annals_projection_events_total${labels(3)} ${events}\n`;
    expect(await registry.metrics()).toContain(line());
    events = 9;
    const text = await registry.metrics();
    expect(text).toContain(line());
    for (const name of ['events', 'batches', 'errors']) {
      expect(text).toContain(`# TYPE annals_projection_${name}_total counter`);
    }
    await log.close();
  });
});
