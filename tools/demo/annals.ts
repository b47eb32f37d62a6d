import { startChild } from './child.ts';
import { DemoError, exitCodes } from './exit-codes.ts';

export interface AnnalsRun {
  /** The exit code; undefined when a signal ended it. */
  readonly code: number | undefined;
  /** Standard output: what a script reads. */
  readonly results: string;
  /** All that an operator sees. */
  readonly output: string;
  readonly ms: number;
}

/** Runs `annals` on a data folder, as an operator would. Rejects when the demo is stopped. */
export async function runAnnals(
  args: readonly string[],
  dataFolder: string,
  signal: AbortSignal,
): Promise<AnnalsRun> {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const child = startChild('annals', [...args, '--data', dataFolder, '--yes']);
  const stop = () => void child.stop();
  signal.addEventListener('abort', stop, { once: true });
  const code = await child.ended.finally(() => signal.removeEventListener('abort', stop));
  signal.throwIfAborted();
  const ms = performance.now() - startedAt;
  return { code, results: child.results(), output: child.output(), ms };
}

/** The same for a command that must end with 0. Throws DemoError, with its output, when it does not. */
export async function annals(
  args: readonly string[],
  dataFolder: string,
  signal: AbortSignal,
): Promise<AnnalsRun> {
  const run = await runAnnals(args, dataFolder, signal);
  if (run.code === 0) return run;
  const ended = `annals ${args.join(' ')} ended with ${run.code ?? 'a signal'}`;
  throw new DemoError(exitCodes.failed, 'annals-failed', `${ended}: ${run.output.trim()}`);
}
