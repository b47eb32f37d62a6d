import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How long one block of commands, the start and the stop of a platform may take. */
export const runLimits = { blockMsMax: 240_000, startMsMax: 60_000, stopMsMax: 15_000 } as const;

export interface Outcome {
  /** The exit code, or undefined when a signal ended it (as it does after `blockMsMax`). */
  readonly code: number | undefined;
  /** Standard output and standard error as they came. */
  readonly output: string;
}

type Environment = Readonly<Record<string, string>>;

/** Runs `commands` as one bash script that stops at the first failure, also within a pipe. */
export async function runCommands(
  commands: string,
  options: { readonly cwd: string; readonly env?: Environment; readonly msMax?: number },
): Promise<Outcome> {
  // A process group of its own, so that the time limit ends what the commands started, too.
  const child = spawn('bash', ['-euo', 'pipefail', '-c', commands], {
    cwd: options.cwd,
    env: environmentWith(options.cwd, options.env ?? {}),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const timer = setTimeout(() => endGroup(child, 'SIGKILL'), options.msMax ?? runLimits.blockMsMax);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code: code ?? undefined, output: output.join('') };
}

/** The tools of the repository come first in PATH, as they do for somebody who types `npx`. */
function environmentWith(cwd: string, more: Environment): NodeJS.ProcessEnv {
  const path = [join(cwd, 'node_modules', '.bin'), dirname(process.execPath), process.env.PATH];
  return { ...process.env, PATH: path.join(delimiter), NO_COLOR: '1', ...more };
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, signal);
}

/** A platform for the commands of one page: on a port and a data folder of its own. */
export interface RunningPlatform {
  /** What the commands find in their environment: ANNALS_DATA, ANNALS_ADMIN_KEY, ANNALS_URL, HOST, PORT. */
  readonly env: Environment;
  /** The page's commands with its default address replaced by the one that this platform listens on. */
  readonly addressed: (commands: string) => string;
  readonly stop: () => Promise<void>;
}

/**
 * Starts `command` (the platform) with settings of its own and waits until it answers `/readyz`.
 * Throws an Error with the platform's output when it ends, or does not answer, within `startMsMax`.
 */
export async function startPlatform(
  cwd: string,
  command: readonly string[] = [process.execPath, 'apps/platform/main.ts'],
): Promise<RunningPlatform> {
  const folder = await mkdtemp(join(tmpdir(), 'annals-docs-'));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const env = {
    HOST: '127.0.0.1',
    PORT: String(port),
    ANNALS_DATA: folder,
    ANNALS_ADMIN_KEY: `annals_docs_${'0123456789abcdef'.repeat(3)}`,
    ANNALS_URL: `http://${address}`,
  };
  const [program = process.execPath, ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env: environmentWith(cwd, env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const stop = async () => {
    await stopProcess(child);
    await rm(folder, { recursive: true, force: true });
  };
  if (!(await answers(`http://${address}/readyz`, child))) {
    await stop();
    throw new Error(`the platform did not come up:\n${output.join('')}`);
  }
  const addressed = (text: string) =>
    text.replaceAll(/\b(?:127\.0\.0\.1|localhost):8080\b/g, address);
  return { env, addressed, stop };
}

async function answers(url: string, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + runLimits.startMsMax;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return true;
    await delay(50);
  }
  return false;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  endGroup(child, 'SIGTERM');
  const timer = setTimeout(() => endGroup(child, 'SIGKILL'), runLimits.stopMsMax);
  await exited;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('no port was given');
  return address.port;
}
