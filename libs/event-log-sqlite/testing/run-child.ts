import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a script in a process of its own, until it ends. */
export function runChild(
  script: URL,
  options: {
    readonly arguments: readonly string[];
    readonly nodeFlags?: readonly string[];
    /** A program that runs the process, with its arguments: a tracer. */
    readonly under?: readonly string[];
  },
): Promise<ChildEnd> {
  const command = [
    ...(options.under ?? []),
    process.execPath,
    ...(options.nodeFlags ?? []),
    fileURLToPath(script),
    ...options.arguments,
  ];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  const err: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code, signal, out: out.join(''), err: err.join('') });
    });
  });
}
