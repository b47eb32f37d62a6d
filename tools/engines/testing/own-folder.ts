import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, vi } from 'vitest';
import { down } from '../down.ts';
import { knownIds, repositoryRoot, type Site } from '../engines-folder.ts';
import { EnginesError } from '../errors.ts';
import { kindOf } from '../kinds/kinds.ts';

/** How long an engine may take in these tests, and anything that is waited for. */
export const testMsMax = 300_000;

/** A folder of engines that only this test file knows; all that runs in it is ended afterwards. */
export interface OwnFolder {
  readonly site: Site;
  /** Calls `npm run engines -- …` on this folder, as a process of its own. */
  call(...args: readonly string[]): Promise<Called>;
}

export interface Called {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * A suite with a folder of its own, on an engine whose programs are there; else its tests are
 * skipped with the reason, or fail with `ENGINES=required`.
 */
export async function describeInOwnFolder(
  id: string,
  title: string,
  suite: (own: OwnFolder) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'annals-engines-'));
  const own = ownFolder(folder);
  // Servers start slowly beside other suites; no test here is about how long something takes.
  vi.setConfig({ testTimeout: testMsMax, hookTimeout: testMsMax });
  const reason = await lacking(own.site, id);
  if (reason === undefined || process.env.ENGINES === 'required') {
    describe(title, () => {
      beforeAll(() => {
        if (reason !== undefined) throw new Error(reason);
      });
      afterAll(async () => {
        for (const one of knownIds(own.site)) await down(own.site, one, { wipe: true });
        await rm(folder, { recursive: true, force: true });
      });
      suite(own);
    });
  } else {
    await rm(folder, { recursive: true, force: true });
    describe.skip(`${title} (skipped: ${reason})`, () => suite(own));
  }
}

async function lacking(site: Site, id: string): Promise<string | undefined> {
  try {
    await kindOf(id).programs(site);
    return undefined;
  } catch (error) {
    if (error instanceof EnginesError && error.code === 'missing-program') return error.message;
    throw error;
  }
}

export function ownFolder(folder: string): OwnFolder {
  const { FORCE_COLOR: _color, ...env } = process.env;
  const site: Site = {
    folder,
    env,
    say: () => undefined,
    signal: new AbortController().signal,
  };
  return {
    site,
    call: (...args) => startCall({ ...env, ANNALS_ENGINES_FOLDER: folder }, args).ended,
  };
}

/** A call that can be interrupted. */
export function startCall(env: NodeJS.ProcessEnv, args: readonly string[]) {
  const program = join(repositoryRoot, 'tools', 'engines', 'main.ts');
  const child = spawn(process.execPath, [program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Called>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return { child, ended };
}

/** Waits until `holds`, at most `testMsMax`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + testMsMax;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${what}`);
    await delay(50);
  }
}
