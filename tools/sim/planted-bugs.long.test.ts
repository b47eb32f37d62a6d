import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '..', '..');
const planted = join(import.meta.dirname, 'planted');
/** In `planted` those for the leaderboard, in folders below it those for the products of their names. */
const patches = (await readdir(planted, { recursive: true })).filter((name) =>
  name.endsWith('.patch'),
);
/** A planted bug must show within this many seeds. A patch may say from which one on, so that nobody waits for it. */
const seedsMax = 200;

async function firstSeedOf(patch: string): Promise<number> {
  const text = await readFile(join(planted, patch), 'utf8');
  return Number(/^From seed (\d+)\.$/m.exec(text)?.[1] ?? 1);
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-sim-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The apps that simulations run. */
const apps = ['apps/payments-api', 'apps/sandbox-psp'];

/** A copy of the sources with packages of its own; what comes from outside is shared. */
async function scratchCopy(name: string): Promise<string> {
  const copy = join(folder, name);
  await mkdir(join(copy, 'node_modules', '@annals'), { recursive: true });
  for (const part of ['libs', ...apps, 'tools/sim', 'package.json']) {
    await cp(join(repository, part), join(copy, part), { recursive: true });
  }
  for (const entry of await readdir(join(repository, 'node_modules'))) {
    if (entry === '@annals' || entry.startsWith('.')) continue;
    await symlink(join(repository, 'node_modules', entry), join(copy, 'node_modules', entry));
  }
  const libs = (await readdir(join(copy, 'libs'))).map((lib) => join('libs', lib));
  for (const own of [...libs, ...apps]) {
    await symlink(join(copy, own), join(copy, 'node_modules', '@annals', basename(own)));
  }
  return copy;
}

function productOf(patch: string): string {
  return dirname(patch) === '.' ? 'leaderboard' : dirname(patch);
}

async function simulate(
  copy: string,
  product: string,
  seeds: number,
  from = 1,
): Promise<{ code: number; output: string }> {
  // Most are found by the first seed: a second thread would load all of it for nothing.
  const drawn = ['--seeds', String(seeds), '--from', String(from), '--threads', '1'];
  const flags = [join(copy, 'tools/sim/main.ts'), product, ...drawn];
  try {
    const { stdout } = await run(process.execPath, flags, { cwd: copy });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

describe('planted bugs', () => {
  let copy: string;
  beforeAll(async () => {
    copy = await scratchCopy('copy');
  });

  test.for([
    ['leaderboard', 20],
    ['kafka', 20],
    ['payments', 3],
  ] as const)(
    '%s: the copy without one holds every promise',
    { timeout: 120_000 },
    async ([product, seeds]) => {
      const { code, output } = await simulate(copy, product, seeds);
      expect(output).toContain('all promises held');
      expect(code).toBe(0);
    },
  );

  test.for(patches)('%s is found', { timeout: 180_000 }, async (patch) => {
    // A patch that no longer applies fails here: the code it was made for has changed.
    await run('git', ['apply', '--verbose', join(planted, patch)], { cwd: copy });
    try {
      const from = await firstSeedOf(patch);
      const { code, output } = await simulate(copy, productOf(patch), seedsMax, from);
      expect(output).toMatch(/seed \d+ broke ".+": npm run sim -- \w+ --seed \d+/);
      expect(code).toBe(1);
    } finally {
      await run('git', ['apply', '--reverse', join(planted, patch)], { cwd: copy });
    }
  });
});
