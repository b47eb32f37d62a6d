import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { limits } from './limits.ts';

/** Everything the demo starts as a process of its own, by the file that it runs. */
const entries = {
  platform: fileURLToPath(new URL('../../apps/platform/main.ts', import.meta.url)),
  annals: fileURLToPath(new URL('../cli/bin/annals.ts', import.meta.url)),
} as const;

export interface Child {
  /** Standard output and standard error as they came, at most the last `limits.outputCharsMax`. */
  output(): string;
  /** Standard output alone, with the same limit. */
  results(): string;
  running(): boolean;
  /** Resolves when the process is gone and its output read: the exit code, or undefined after a signal. */
  readonly ended: Promise<number | undefined>;
  /** Asks it to stop, and ends it when it has not within `limits.stopMsMax`. */
  stop(): Promise<number | undefined>;
}

/**
 * Starts `entry` with this very Node.js, in a process group of its own: Ctrl-C reaches the demo alone,
 * which stops what it started in its own order. Whatever is left when the demo ends, ends with it.
 */
export function startChild(
  entry: keyof typeof entries,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Child {
  const child = spawn(process.execPath, [entries[entry], ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  let results = '';
  const keep = (chunk: string) => {
    output = (output + chunk).slice(-limits.outputCharsMax);
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    results = (results + chunk).slice(-limits.outputCharsMax);
    keep(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', keep);
  child.on('error', (error) => keep(`${error.message}\n`));
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const ended = endOf(child).finally(() => process.off('exit', endWithUs));
  return {
    output: () => output,
    results: () => results,
    running: () => isRunning(child),
    ended,
    stop: async () => {
      if (isRunning(child)) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), limits.stopMsMax);
      return ended.finally(() => clearTimeout(timer));
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function endOf(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code ?? undefined));
  });
}
