import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startChild } from './child.ts';
import type { Summary } from './demo.ts';
import { answeringServer } from './testing/answering-server.ts';

const key = 'a-key-of-the-tests-of-the-demo';
const slow = { timeout: 180_000 };

/** Starts the real demo, whose temporary files lie in a folder of their own. */
function startDemo(argv: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'annals-demo-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { ANNALS_URL: _url, ANNALS_ADMIN_KEY: _key, ...env } = process.env;
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...argv], {
    // Node.js keeps what it compiled in TMPDIR, unless told not to.
    env: { ...env, TMPDIR: folder, NO_COLOR: '1', NODE_DISABLE_COMPILE_CACHE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, folder, ended, out: () => out };
}

interface Platform {
  readonly url: string;
  readonly data: string;
  stop(): Promise<void>;
}

/** A platform on a free port and a folder of its own. */
async function startPlatform(): Promise<Platform> {
  const data = await mkdtemp(join(tmpdir(), 'annals-demo-test-'));
  const env = { HOST: '127.0.0.1', PORT: '0', ANNALS_DATA: data, ANNALS_ADMIN_KEY: key };
  const child = startChild('platform', [], env);
  const printed = () => /API\s+(http:\S+)\/v1/.exec(child.output())?.[1] ?? '';
  await vi.waitUntil(printed, { timeout: 60_000 });
  const stop = async () => {
    await child.stop();
    await rm(data, { recursive: true, force: true });
  };
  return { url: printed(), data, stop };
}

describe('on a service of its own', () => {
  it('loses and rebuilds the read model, and not one rank differs', slow, async () => {
    const size = ['--players', '200', '--matches', '1000'];
    const demo = startDemo(['--own', ...size, '--json']);
    const { code, out, err } = await demo.ended;
    expect(err).toBe('');
    const summary = JSON.parse(out) as Summary;
    expect(summary).toMatchObject({
      service: { own: true },
      players: 200,
      matches: 1_000,
      scores: 2_000,
      resent: { scores: 400, counted: 0 },
      faults: [],
      ok: true,
    });
    expect(summary.top).toHaveLength(10);
    expect(summary.top[0]).toMatchObject({ rank: 1, user_name: expect.any(String) });
    expect(summary.standing.neighbors).toHaveLength(8);
    expect(summary.friends).toHaveLength(8);
    expect(summary.ties.tied_players).toBeGreaterThan(100);
    const { drill } = summary;
    expect(drill).toMatchObject({
      writes_refused: [],
      resent: 50,
      resent_counted: 0,
      rows: summary.players_on_board,
      differing_rows: 0,
      ok: true,
    });
    expect(drill?.repair).toContain('npx annals rebuild leaderboard');
    expect(drill?.commands.map(({ command }) => command)).toEqual([
      'npx annals rebuild leaderboard',
      'npx annals verify leaderboard',
      'npx annals promote leaderboard',
    ]);
    expect(drill?.fingerprint_after).toBe(drill?.fingerprint_before);
    expect(drill?.writes_accepted).toBeGreaterThan(0);
    expect(drill?.writes_on_board).toBe(drill?.writes_accepted);
    expect(code).toBe(0);
    expect(await readdir(demo.folder)).toEqual([]);
  });

  it('stops it on Ctrl-C and leaves nothing behind', slow, async () => {
    const demo = startDemo(['--own', '--matches', '100000']);
    const service = () => /started a service at (\S+)/.exec(demo.out())?.[1] ?? '';
    await expect.poll(service, { timeout: 60_000 }).not.toBe('');
    expect((await fetch(`${service()}/healthz`)).status).toBe(200);
    // npm hands on what the terminal has sent already.
    demo.child.kill('SIGINT');
    demo.child.kill('SIGINT');
    const { code, err } = await demo.ended;
    expect(code).toBe(130);
    expect(err).toContain('demo: stopped');
    await expect(fetch(`${service()}/healthz`)).rejects.toThrow('fetch failed');
    expect(await readdir(demo.folder)).toEqual([]);
  });
});

describe('on a service that runs', () => {
  const small = ['--players', '20', '--matches', '60', '--key', key];
  let running: Platform[] = [];

  beforeAll(async () => {
    running = await Promise.all([startPlatform(), startPlatform()]);
  }, 90_000);
  afterAll(() => Promise.all(running.map((platform) => platform.stop())), 60_000);

  it('asks before it writes, and leaves the read model alone', slow, async () => {
    const [{ url }] = running as [Platform];
    const on = [...small, '--url', url, '--leaderboard', 'left-alone', '--json'];
    const asked = await startDemo(on).ended;
    expect(asked).toMatchObject({ code: 2, out: '' });
    const refusal = JSON.parse(asked.err) as { code: string; error: string };
    expect(refusal.code).toBe('not-confirmed');
    expect(refusal.error).toMatch(/What is written stays there\. Say --yes/);
    const killing = await startDemo([...on, '--data', 'somewhere']).ended;
    expect(killing).toMatchObject({ code: 2, out: '' });
    expect(killing.err).toMatch(
      /a new leaderboard demo-\.\.\.-outage, which stays too\. Say --yes/,
    );
    const { code, out } = await startDemo([...on, '--yes']).ended;
    expect(JSON.parse(out)).toMatchObject({ drill: null, players_on_board: 20, ok: true });
    expect(code).toBe(0);
  });

  it('deletes nothing in a folder that is not its own', slow, async () => {
    const [one, other] = running as [Platform, Platform];
    const demo = startDemo([...small, '--url', one.url, '--data', other.data, '--yes', '--json']);
    const { code, err } = await demo.ended;
    expect(JSON.parse(err)).toMatchObject({ code: 'other-data-folder' });
    expect(code).toBe(5);
    expect(await readdir(join(other.data, 'projections', 'leaderboard'))).toContain('g1.sqlite');
    const read = { headers: { authorization: `Bearer ${key}` } };
    expect((await fetch(`${other.url}/v1/scores`, read)).status).toBe(200);
  });

  it('drills in the folder it is given, beside the players of others', slow, async () => {
    const [{ url, data }] = running as [Platform];
    const demo = startDemo([...small, '--url', url, '--data', data, '--yes', '--json']);
    const { code, out } = await demo.ended;
    // The players of the test above are on the board too.
    expect(JSON.parse(out)).toMatchObject({ drill: { ok: true, rows: 40 }, ok: true });
    expect(code).toBe(0);
  });

  it('finds a rank that differs after the rebuild', slow, async () => {
    const [, { url, data }] = running as [Platform, Platform];
    let wasLost = false;
    const liar = await answeringServer(async ({ method, url: path, body }) => {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const told = (await answer.json()) as { data?: { rank: number }[] };
      if (answer.status === 503) wasLost = true;
      const third = path.startsWith('/v1/scores?leaderboard=default') && told.data?.[2];
      if (wasLost && third) third.rank += 1;
      return { status: answer.status, body: told };
    });
    const demo = startDemo([...small, '--url', liar.url, '--data', data, '--yes']);
    const { code, out } = await demo.ended;
    expect(out).toContain('1 of 20 rows differ');
    expect(out).toMatch(/place 3: demo-\S+ .* rank \d+ score \d+ → demo-/);
    expect(out).toContain('A promise was broken');
    expect(code).toBe(1);
  });

  it('says that the key is refused', slow, async () => {
    const [{ url }] = running as [Platform];
    const { code, err } = await startDemo(['--url', url, '--key', 'x'.repeat(30), '--yes']).ended;
    expect(err).toMatch(/^demo: http:\S+ refuses the key: /);
    expect(code).toBe(5);
  });
});
