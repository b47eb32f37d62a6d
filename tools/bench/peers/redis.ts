import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisPeer {
  readonly client: Redis;
  stop(): Promise<void>;
}

const startMsMax = 10_000;

/** Starts a redis-server of its own on a free loopback port. Undefined when it is not installed. */
export async function startRedis(): Promise<RedisPeer | undefined> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'annals-bench-redis-'));
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const server = spawn('redis-server', flags, { stdio: 'ignore' });
  if (!(await started(server))) {
    await rm(folder, { recursive: true });
    return undefined;
  }
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const timer = AbortSignal.timeout(startMsMax);
  while ((await client.ping().catch(() => '')) !== 'PONG') timer.throwIfAborted();
  return {
    client,
    stop: async () => {
      client.disconnect();
      server.kill();
      await new Promise((resolve) => server.once('exit', resolve));
      await rm(folder, { recursive: true });
    },
  };
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
