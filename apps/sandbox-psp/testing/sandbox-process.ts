import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface SandboxProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Ends it at once, as a power cut does. */
  kill(): Promise<void>;
}

/** Starts the program, and waits until it says where it listens. */
export async function startProcess(
  env: Record<string, string>,
  program: Program = '../main.ts',
): Promise<SandboxProcess> {
  const child = spawnSandbox(env, program);
  let said = '';
  child.stdout?.on('data', (chunk) => {
    said += chunk;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const found = /API +(http\S+)\/v1/.exec(said)?.[1];
      if (found) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`the sandbox ended with ${code}: ${said}`)));
  });
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return { url, child, kill };
}

/** The program itself, or the one with the pace of the contract. */
export type Program = '../main.ts' | 'sandbox-main.ts';

export function spawnSandbox(
  env: Record<string, string>,
  program: Program = '../main.ts',
): ChildProcess {
  const main = fileURLToPath(new URL(program, import.meta.url));
  return spawn(process.execPath, [main], {
    env: { ...process.env, SANDBOX_PSP_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
