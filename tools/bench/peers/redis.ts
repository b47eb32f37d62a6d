import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { playerId } from '../data/score-feed.ts';
import { makeTemporaryFolder, removeTemporaryFolder } from '../data/temporary-folder.ts';

export interface RedisPeer {
  readonly client: Redis;
  readonly port: number;
  stop(): Promise<void>;
}

const startMsMax = 10_000;
/** Members of one ZADD while a sorted set is filled. */
const zaddMembers = 5_000;

/** Starts a redis-server of its own on a free loopback port. Undefined when it is not installed. */
export async function startRedis(): Promise<RedisPeer | undefined> {
  const port = await freePort();
  const folder = await makeTemporaryFolder();
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const server = spawn('redis-server', flags, { stdio: 'ignore' });
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  server.once('exit', () => process.off('exit', kill));
  if (!(await started(server))) {
    await removeTemporaryFolder(folder);
    return undefined;
  }
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const timer = AbortSignal.timeout(startMsMax);
  while ((await client.ping().catch(() => '')) !== 'PONG') timer.throwIfAborted();
  return {
    client,
    port,
    stop: async () => {
      client.disconnect();
      server.kill();
      await new Promise((resolve) => server.once('exit', resolve));
      await removeTemporaryFolder(folder);
    },
  };
}

/** Sets these scores, many to a command and all commands in one pipeline. */
export async function zaddAll(
  redis: Redis,
  key: string,
  scores: readonly (readonly [member: string, score: number])[],
): Promise<void> {
  const pipeline = redis.pipeline();
  for (let first = 0; first < scores.length; first += zaddMembers) {
    const some = scores.slice(first, first + zaddMembers);
    pipeline.zadd(key, ...some.flatMap(([member, score]) => [score, member]));
  }
  await checked(pipeline.exec());
}

/** Adds these points, one after the other, as one would who handles an event at a time. */
export async function zincrbyEach(
  redis: Redis,
  key: string,
  scores: readonly (readonly [member: string, points: number])[],
): Promise<void> {
  for (const [member, points] of scores) await redis.zincrby(key, points, member);
}

async function checked(
  answers: Promise<readonly (readonly [error: Error | null, result: unknown])[] | null>,
): Promise<void> {
  const failed = (await answers)?.find(([error]) => error !== null);
  if (failed) throw failed[0];
}

/** Players with 1 to 5 points each, as plain members. */
export async function fillSortedSet(redis: Redis, key: string, players: number): Promise<void> {
  for (let first = 0; first < players; first += zaddMembers) {
    const members = Array.from({ length: Math.min(zaddMembers, players - first) }, (_, index) => [
      1 + ((first + index) % 5),
      playerId(first + index),
    ]);
    await redis.zadd(key, ...members.flat());
  }
}

/** What its data takes now. */
export async function usedBytes({ client }: RedisPeer): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
}

function started(server: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('spawn', () => resolve(true));
    server.once('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
