import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { adminKey, type Call } from './open-platform.ts';

const entry = join(import.meta.dirname, '..', 'main.ts');
const root = join(import.meta.dirname, '..', '..', '..');
const command = join(root, 'tools', 'cli', 'bin', 'annals.ts');

/** Runs main.ts with these settings and nothing else of this process's own. */
export function runMain(env: { readonly [name: string]: string }) {
  return runProgram([entry], env);
}

/** Runs the projector's main.ts. */
export function runProjector(env: { readonly [name: string]: string }) {
  return runProgram([join(root, 'apps', 'projector', 'main.ts')], env);
}

/** Runs the sandbox PSP's main.ts. */
export function runSandbox(env: { readonly [name: string]: string }) {
  return runProgram([join(root, 'apps', 'sandbox-psp', 'main.ts')], env);
}

/** Runs `annals` with these arguments and settings until it has ended. */
export function runCommand(argv: readonly string[], env: { readonly [name: string]: string }) {
  return runProgram([command, ...argv], { NO_COLOR: '1', ...env }).ended;
}

function runProgram(argv: readonly string[], env: { readonly [name: string]: string }) {
  const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, argv, {
    env: { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE, ...env } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    text.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text.err += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    ...text,
  }));
  return { child, text, ended };
}

export interface PlatformProcess {
  readonly url: string;
  readonly call: Call;
  /** Ends the process with a signal; resolves when it is gone. */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<{ readonly code: number | null }>;
}

/** A platform in a process of its own, on this folder and a free port. With the role projector it has operations only. */
export async function startProcess(
  folder: string,
  env: { readonly [name: string]: string } = {},
): Promise<PlatformProcess> {
  const { child, text, ended } = runMain({
    PORT: '0',
    ANNALS_DATA: folder,
    ANNALS_ADMIN_KEY: adminKey,
    ANNALS_LOG_LEVEL: 'silent',
    // Tests of payments say so: the others start faster without.
    ANNALS_PSP_URL: 'off',
    ...env,
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const found = /(?:API|operations)\s+(http:\S+?)\/(?:v1|readyz)/.exec(text.out)?.[1];
      if (found) resolve(found);
    });
    ended.then(({ out, err }) => reject(new Error(`it did not start:\n${out}${err}`)));
  });
  const call: Call = async (route, { body, headers, key = adminKey } = {}) => {
    const [method, path] = route.split(' ') as [string, string];
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') && answer !== '';
    return {
      status: response.status,
      body: isJson ? JSON.parse(answer) : answer,
      headers: Object.fromEntries(response.headers),
    };
  };
  return {
    url,
    call,
    kill: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}
