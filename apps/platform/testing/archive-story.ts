import { newId, systemClock } from '@annals/core';
import { leaderboardArchiveProjection, leaderboardProjection } from '@annals/leaderboard';
import type { Projection, Row } from '@annals/projection';
import { openSite, runSiteProjector, siteConfigOf } from '@annals/projector';
import { expect, onTestFinished } from 'vitest';
import { configSchema } from '../config.ts';
import { startPlatform } from '../start.ts';
import { adminKey, callOn } from './open-platform.ts';
import { operate } from './operate.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

const laterMs = 2 * 3_600_000;
const players = Array.from({ length: 9 }, (_, n) => `player-${n}`);
const closedPeriod = '2026-01';

/** URLs of stores. */
export interface ArchiveStores {
  readonly store?: string;
  readonly archive?: string;
}

/**
 * A board with two periods, of which the first is closed and archived: over HTTP every answer stays what it
 * was, while the rows are gone from the read model at `store`. The archive is SQLite, in a folder of its own, unless told.
 */
export async function archiveStory({ store, archive }: ArchiveStores = {}): Promise<void> {
  const folder = await temporaryFolder();
  const archiveFolder = await temporaryFolder();
  onTestFinished(async () => {
    await folder.remove();
    await archiveFolder.remove();
  });
  const settings = {
    ...{ PORT: '0', ANNALS_ROLES: 'api', ANNALS_DATA: folder.path, ANNALS_ADMIN_KEY: adminKey },
    ...{ ANNALS_LOG_LEVEL: 'silent', ...(store ? { ANNALS_LEADERBOARD_STORE: store } : {}) },
  };
  const config = configSchema.parse({
    ...settings,
    ANNALS_LEADERBOARD_ARCHIVE: archive ?? `sqlite:${archiveFolder.path}`,
  });
  const projector = await startProjector(config, 0);
  const { call, stop } = await startApi(config);
  await play(call);
  const before = await answers(call);
  expect(await rowsOf(config, leaderboardProjection)).toHaveLength(players.length);
  await projector();

  // Two hours later by the projector's clock: what was closed is due.
  await startProjector(config, laterMs);
  await until('the closed period to leave the read model', async () => {
    const left = await rowsOf(config, leaderboardProjection);
    return left.length === 0 ? true : undefined;
  });
  expect(await rowsOf(config, leaderboardArchiveProjection)).toHaveLength(players.length);
  expect(await answers(call)).toEqual(before);
  await expectRebuildable(config);
  expect(await answers(call)).toEqual(before);
  await stop();

  // A process that was told of no archive says so, and goes on with what is open.
  const without = await startApi(configSchema.parse(settings));
  expect(await without.call('GET /v1/scores?leaderboard=cup&period=2026-01')).toMatchObject({
    ...{ status: 503, body: { code: 'archive-unknown' } },
  });
  expect(await without.call('GET /v1/scores?leaderboard=cup&period=2026-02')).toMatchObject({
    status: 200,
  });
}

type Config = ReturnType<typeof configSchema.parse>;
type Call = Awaited<ReturnType<typeof startApi>>['call'];

/** A projector by a clock that is so far ahead; gives the function that ends it. */
async function startProjector(config: Config, aheadMs: number): Promise<() => Promise<void>> {
  const stop = new AbortController();
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const running = await runSiteProjector({
    ...{ site: siteConfigOf(config), clock, signal: stop.signal, archiveEveryMs: 50 },
    ...{ holder: `test/${newId()}`, onTrouble: () => undefined },
  });
  const end = async () => {
    stop.abort();
    await running.done;
  };
  onTestFinished(end);
  return end;
}

async function startApi(config: Config) {
  const platform = await startPlatform(config, {
    ...{ checkResponses: true, readableMsMax: 60_000, visibleMsMax: 30_000 },
  });
  onTestFinished(() => platform.stop());
  const asked = callOn(platform);
  const call = async (route: string, body?: object) => {
    const { status, body: answer } = await asked(route, { body });
    return { status, body: answer };
  };
  return { call, stop: () => platform.stop() };
}

async function play(call: Call): Promise<void> {
  const board = { operator: 'increment', order: 'desc', reset: 'monthly' };
  expect(await call('PUT /v1/leaderboards/cup', board)).toMatchObject({ status: 201 });
  for (const [month, period] of [closedPeriod, '2026-02'].entries()) {
    for (const [n, user_id] of [...players, ...players].entries()) {
      const score = { leaderboard: 'cup', user_id, match_id: `${month}-${n}`, points: (n * 7) % 5 };
      const occurred_at = `${period}-10T12:00:00Z`;
      expect((await call('POST /v1/scores', { ...score, occurred_at })).status).toBe(200);
    }
  }
  const named = await call('PUT /v1/players/player-3', { name: 'Three' });
  // What is asked later is compared with what is asked now: it must be there.
  const read = `GET /v1/scores/player-3?leaderboard=cup&period=2026-02&min-position=${named.body.position}`;
  expect(JSON.stringify(await call(read))).toContain('"Three"');
  const close = `POST /v1/leaderboards/cup/periods/${closedPeriod}/close`;
  expect(await call(close)).toMatchObject({ status: 200 });
  expect(await call('POST /v1/scores', tooLate)).toMatchObject({ status: 409 });
}

const tooLate = {
  ...{ leaderboard: 'cup', user_id: 'player-1', match_id: 'late', points: 3 },
  occurred_at: `${closedPeriod}-11T12:00:00Z`,
};

/** All that can be asked, and a resend of a match and of one that came too late; without the positions. */
async function answers(call: Call): Promise<unknown> {
  const all: unknown[] = [];
  for (const period of [closedPeriod, '2026-02']) {
    const on = `leaderboard=cup&period=${period}`;
    for (const ties of ['standard', 'dense']) {
      all.push(await call(`GET /v1/scores?${on}&ties=${ties}&limit=5&offset=2`));
      const asked = { leaderboard: 'cup', period, user_ids: players.slice(2, 6), ties };
      all.push(await call('POST /v1/scores/ranks', asked));
    }
    for (const user of [players[1], players[3], 'nobody']) {
      all.push(await call(`GET /v1/scores/${user}?${on}&around=2`));
      all.push(await call(`GET /v1/scores/${user}/history?${on}`));
    }
  }
  const first = { leaderboard: 'cup', user_id: 'player-1', match_id: '0-1', points: 2 };
  all.push(await call('POST /v1/scores', { ...first, occurred_at: '2026-01-10T12:00:00Z' }));
  all.push(await call('POST /v1/scores', tooLate));
  return JSON.parse(JSON.stringify(all), (key, value) =>
    ['as_of', 'position', 'instance', 'request_id'].includes(key) ? undefined : value,
  );
}

/** The rows of the closed period in the live generation. */
async function rowsOf(config: Config, projection: Projection): Promise<readonly Row[]> {
  const site = await openSite(siteConfigOf(config));
  try {
    const generation = await openNewest(site, projection);
    const snapshot = await generation.snapshot();
    const rows: Row[] = [];
    for await (const page of snapshot.rows('scores')) rows.push(...page);
    await snapshot.close();
    await generation.close();
    return rows.filter(({ period }) => period === closedPeriod);
  } finally {
    await site.close();
  }
}

async function openNewest(site: Awaited<ReturnType<typeof openSite>>, projection: Projection) {
  const opened = await site.storeFor(projection).open(1);
  if (opened === 'lost') throw new Error(`${projection.name} is lost`);
  return opened;
}

async function expectRebuildable(config: Config): Promise<void> {
  const site = siteConfigOf(config);
  for (const name of [leaderboardProjection.name, leaderboardArchiveProjection.name]) {
    expect(await operate(site, 'rebuild', name)).toBe('rebuilt');
    expect(await operate(site, 'verify', name)).toBe('verified');
    expect(await operate(site, 'promote', name)).toBe('promoted');
  }
}
