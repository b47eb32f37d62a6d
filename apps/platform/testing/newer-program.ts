import { newId } from '@annals/core';
import { leaderboardProjection } from '@annals/leaderboard';
import { promote, rebuild } from '@annals/projection';
import { openSite, type SiteConfig, siteConfigOf } from '@annals/projector';
import { expect, onTestFinished } from 'vitest';
import { configSchema } from '../config.ts';
import { runCommand, runProjector, startProcess } from './platform-process.ts';
import { until } from './until.ts';

/** A program with the next version of the projection rebuilds, and makes what it built live. */
export async function newerProgram(config: SiteConfig): Promise<void> {
  const site = await openSite(config, { mustExist: true });
  const { log, cipher, clock } = site;
  const projection = { ...leaderboardProjection, version: leaderboardProjection.version + 1 };
  const store = site.storeFor(leaderboardProjection);
  const means = { log, cipher, clock, projection, store, holder: `newer/${newId()}` };
  expect(await rebuild(means)).toMatchObject({ kind: 'rebuilt' });
  expect(await promote(means)).toMatchObject({ kind: 'promoted' });
  await site.close();
}

/** Projectors of this version, in both of their programs, when a newer program makes its generation live. */
export async function olderProjectorTells(settings: {
  readonly ANNALS_DATA: string;
  readonly [name: string]: string;
}): Promise<void> {
  const env = { ANNALS_PSP_URL: 'off', ...settings };
  const process = await startProcess(env.ANNALS_DATA, { ...env, ANNALS_ROLES: 'projector' });
  onTestFinished(async () => {
    await process.kill('SIGTERM');
  });
  const alone = runProjector(env);
  onTestFinished(async () => {
    alone.child.kill('SIGTERM');
    await alone.ended;
  });
  const up = (generation: string) =>
    `annals_projection_up{projection="leaderboard",generation="${generation}",worker="0"}`;
  await until('both follow g1', async () => {
    const { body } = await process.call('GET /metrics');
    return String(body).includes(up('g1')) && alone.text.out.includes('following')
      ? true
      : undefined;
  });
  await newerProgram(siteConfigOf(configSchema.parse(env)));
  const sentence =
    'the read model was made by version 2, this program has version 1: use a newer program';
  const ready = await until('its readiness says so', async () => {
    const { body, status } = await process.call('GET /readyz');
    return body.status === 'degraded' ? { body, status } : undefined;
  });
  expect(ready.status).toBe(200);
  expect(JSON.stringify(ready.body)).toContain(`leaderboard: ${sentence}`);
  const { body } = await process.call('GET /metrics');
  // What an alert on projections that nobody follows looks at.
  expect(body).toContain(`${up('g2')} 0\n`);
  expect(body).toMatch(/annals_projection_state\{.*generation="g2".*state="version-mismatch"\} 1/);
  await until('the projector says so', () => alone.text.err.includes(sentence) || undefined);
  expect(alone.text.err).toBe(`leaderboard: g2 is live and not followed: ${sentence}\n`);
  const { out } = await runCommand(['status', 'leaderboard'], env);
  expect(out).toContain(`g2: ${sentence}`);
  expect(out).not.toContain('annals rebuild');
}
