import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLayout } from '@annals/projector';
import { expect, it, onTestFinished } from 'vitest';
import { repositoryRoot, startAnnals, temporaryFolder } from './testing/cli.ts';

/** The drill of docs/disaster-recovery.md, with a service under load and every answer looked at. */

const adminKey = `annals_drill_${'0123456789abcdef'.repeat(3)}`;
const patience = { timeout: 30_000, interval: 50 };
const players = Array.from({ length: 60 }, (_, index) => `player-${index}`);

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function startService(folder: string) {
  const child = spawn(process.execPath, [join(repositoryRoot, 'apps', 'platform', 'main.ts')], {
    env: { ...process.env, PORT: '0', ANNALS_DATA: folder, ANNALS_ADMIN_KEY: adminKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  const address = () => /API +(http:\S+)\/v1/.exec(output)?.[1] ?? '';
  await expect.poll(address, patience).toMatch(/^http/);
  const url = address();
  return async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.text() };
  };
}

type Service = Awaited<ReturnType<typeof startService>>;

/** Rank and score of every player of the default board, and a page of the board. */
async function ranksOf(service: Service): Promise<unknown> {
  const friends = await service('POST', '/v1/scores/ranks', { user_ids: players });
  expect(friends.status).toBe(200);
  const top = await service('GET', '/v1/scores?limit=100');
  expect(top.status).toBe(200);
  const rows = [friends, top].map(({ body }) => (JSON.parse(body) as { data: unknown[] }).data);
  expect(rows[0]).toHaveLength(players.length);
  return rows;
}

/** Somebody who goes on scoring on another board, one match after the other, until told to stop. */
function keepScoring(service: Service) {
  const answers: Answer[] = [];
  let stopped = false;
  const ended = (async () => {
    for (let match = 0; !stopped; match += 1) {
      const score = { user_id: 'busy', points: 1, match_id: `m${match}`, leaderboard: 'load' };
      answers.push(await service('POST', '/v1/scores', score));
    }
  })();
  const stop = async () => {
    stopped = true;
    await ended;
    return answers;
  };
  onTestFinished(async () => void (await stop()));
  return { answers, stop };
}

async function annals(folder: string, ...argv: readonly string[]) {
  const ran = await startAnnals([...argv, '--data', folder]).ended;
  if (ran.code !== 0)
    throw new Error(`annals ${argv.join(' ')} ended with ${ran.code}: ${ran.err}`);
  return ran.out;
}

it('a read model whose files are deleted under a service is brought back, rank for rank, and no write is refused', async () => {
  const folder = await temporaryFolder();
  const service = await startService(folder);
  expect((await service('PUT', '/v1/leaderboards/load', {})).status).toBe(201);
  const scores = players.flatMap((user_id, index) => [
    { user_id, points: index % 9, match_id: 'one' },
    { user_id, points: index % 4, match_id: 'two' },
  ]);
  expect((await service('POST', '/v1/scores/batch', { scores })).status).toBe(200);
  const before = await ranksOf(service);

  const load = keepScoring(service);
  await expect.poll(() => load.answers.length, patience).toBeGreaterThan(20);
  await rm(join(dataLayout(folder).projections, 'leaderboard'), { recursive: true });
  const read = () => service('GET', '/v1/scores');
  await expect.poll(async () => (await read()).status, patience).toBe(503);
  expect((await read()).body).toContain('annals rebuild leaderboard');
  const lostAt = load.answers.length;
  await expect.poll(() => load.answers.length, patience).toBeGreaterThan(lostAt + 20);

  expect(await annals(folder, 'status')).toMatch(
    /its store is lost \(.+\): annals rebuild leaderboard/,
  );
  expect(await annals(folder, 'rebuild', 'leaderboard')).toMatch(/leaderboard g2 rebuilt/);
  const verified = await annals(folder, 'verify', 'leaderboard');
  expect(verified).toMatch(/g2 at .* second fold of the log, .*: the same in every row/);
  expect(await annals(folder, 'promote', 'leaderboard')).toMatch(/leaderboard g2 is live/);

  await expect.poll(async () => (await read()).status, patience).toBe(200);
  expect(await ranksOf(service)).toEqual(before);
  const answers = await load.stop();
  const refused = answers.filter(({ status }) => status !== 200 && status !== 202);
  expect(refused).toEqual([]);
  const total = async () => {
    const { body } = await service('GET', '/v1/scores/busy?leaderboard=load');
    return (JSON.parse(body) as { user_info?: { score: number } }).user_info?.score;
  };
  await expect.poll(total, patience).toBe(answers.length);
}, 180_000);
