import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { makeTemporaryFolder, removeTemporaryFolder } from '../data/temporary-folder.ts';

export interface RedisPeer {
  readonly client: Redis;
  stop(): Promise<void>;
}

const startMsMax = 10_000;

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
    stop: async () => {
      client.disconnect();
      server.kill();
      await new Promise((resolve) => server.once('exit', resolve));
      await removeTemporaryFolder(folder);
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
