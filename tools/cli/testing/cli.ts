import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { type Clock, systemClock } from '@annals/core';
import { onTestFinished } from 'vitest';
import { type ExitCode, type Io, run } from '../index.ts';

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Io['env'];
  readonly stdin?: Uint8Array | string;
  readonly signal?: AbortSignal;
  readonly onOut?: (text: string) => void;
  /** Whether standard error is a terminal. */
  readonly isTerminal?: boolean;
  readonly clock?: Clock;
}

/** Runs a command in this process. */
export async function annals(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const out = new Collected(options.onOut);
  const err = options.isTerminal ? terminal(new Collected()) : new Collected();
  const code = await run(argv, {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    out,
    err,
    env: options.env ?? {},
    clock: options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
  });
  return { code, out: out.text, err: err.text };
}

/** Runs a command that must succeed, and gives back its JSON. */
export async function annalsJson<T>(argv: readonly string[], options?: RunOptions): Promise<T> {
  const { code, out, err } = await annals([...argv, '--json'], options);
  if (code !== 0) throw new Error(`annals ${argv.join(' ')} ended with ${code}: ${err}`);
  return JSON.parse(out) as T;
}

class Collected extends Writable {
  text = '';
  readonly #onText: ((text: string) => void) | undefined;

  constructor(onText?: (text: string) => void) {
    super();
    this.#onText = onText;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    this.#onText?.(this.text);
    done();
  }
}

/** As much of a terminal as a progress bar asks for. */
function terminal(collected: Collected): Collected {
  const able = { cursorTo: () => true, clearLine: () => true, moveCursor: () => true };
  return Object.assign(collected, { isTTY: true, columns: 200, ...able });
}

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'annals-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export const repositoryRoot = join(import.meta.dirname, '..', '..', '..');

/** Starts the real command as a process of its own. */
export function startAnnals(argv: readonly string[], env: Record<string, string> = {}) {
  const entry = join(repositoryRoot, 'tools', 'cli', 'bin', 'annals.ts');
  const child = spawn(process.execPath, [entry, ...argv], {
    cwd: repositoryRoot,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, ended, out: () => out, err: () => err };
}
