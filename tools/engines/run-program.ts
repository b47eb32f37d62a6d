import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EnginesError } from './errors.ts';
import type { Environment } from './programs.ts';

const limits = { runMsMax: 300_000, outputCharsMax: 1_000_000, shownLinesMax: 20 } as const;

interface RunOptions {
  readonly env: Environment;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/** What a program prints on both outputs. Throws `start-failed` with its last lines when it fails. */
export async function output(
  file: string,
  args: readonly string[],
  { env, cwd, signal }: RunOptions,
): Promise<string> {
  const timeout = AbortSignal.timeout(limits.runMsMax);
  const child = spawn(file, args, {
    env: { ...env },
    ...(cwd && { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    killSignal: 'SIGKILL',
  });
  let printed = '';
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString()).slice(-limits.outputCharsMax);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  // `once` rejects with the error of a program that cannot be started or was cut off.
  const [code] = (await once(child, 'close').catch((cause: unknown) => {
    throw signal?.aborted
      ? new EnginesError('interrupted', 'stopped before it was done')
      : new EnginesError('start-failed', `${file} did not come to its end: ${String(cause)}`);
  })) as [number | null];
  if (code === 0) return printed;
  throw new EnginesError('start-failed', `${file} failed (${code}):\n${lastLines(printed)}`);
}

/** The end of a text, as much as a person reads. */
export function lastLines(text: string, linesMax: number = limits.shownLinesMax): string {
  return text.trimEnd().split('\n').slice(-linesMax).join('\n');
}
