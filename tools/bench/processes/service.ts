import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** `npm start` on a data folder of its own. */
export interface Service {
  readonly port: number;
  readonly authorization: string;
  /** Bytes of memory that are its own now: VmRSS of all its threads. */
  residentBytes(): Promise<number>;
  stop(): Promise<void>;
}

/** A first start with a million events builds the read model before it is ready. */
const readyMsMax = 600_000;
const pollMs = 100;
const main = join(import.meta.dirname, '..', '..', '..', 'apps', 'platform', 'main.ts');

/** Starts the service, with these settings too, and waits until it is ready to serve. Throws an Error with what it said when it does not come up. */
export async function startService(
  dataFolder: string,
  settings: { readonly [variable: string]: string } = {},
): Promise<Service> {
  const adminKey = `annals_bench_${'0123456789abcdef'.repeat(3)}`;
  const environment = { HOST: '127.0.0.1', PORT: '0', ANNALS_DATA: dataFolder, ...settings };
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...environment, ANNALS_ADMIN_KEY: adminKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // It is no child of a channel: it would outlive a bench that is cut off.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-4_000);
    });
  }
  const port = await untilReady(child, () => said).catch(async (error: unknown) => {
    await stop(child);
    throw error;
  });
  return {
    port,
    authorization: `Bearer ${adminKey}`,
    residentBytes: () => residentBytesOf(child),
    stop: () => stop(child),
  };
}

async function untilReady(child: ChildProcess, said: () => string): Promise<number> {
  const deadline = performance.now() + readyMsMax;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the service ended: ${said()}`);
    }
    const port = Number(/http:\/\/127\.0\.0\.1:(\d+)\//.exec(said())?.[1]);
    const url = `http://127.0.0.1:${port}/readyz`;
    const ready = port > 0 && (await fetch(url).then(isOk, () => false));
    if (ready) return port;
    if (performance.now() > deadline) {
      const why = await fetch(url).then((response) => response.text(), String);
      throw new Error(`the service is not ready: ${why}; ${said()}`);
    }
    await delay(pollMs);
  }
}

async function isOk(response: Response): Promise<boolean> {
  await response.arrayBuffer();
  return response.ok;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function residentBytesOf({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}
