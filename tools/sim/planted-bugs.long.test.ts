import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
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
/** A planted bug must show within this many seeds. */
const seedsMax = 200;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'annals-sim-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the sources with packages of its own; what comes from outside is shared. */
async function scratchCopy(name: string): Promise<string> {
  const copy = join(folder, name);
  await mkdir(join(copy, 'node_modules', '@annals'), { recursive: true });
  for (const part of ['libs', 'tools/sim', 'package.json']) {
    await cp(join(repository, part), join(copy, part), { recursive: true });
  }
  for (const entry of await readdir(join(repository, 'node_modules'))) {
    if (entry === '@annals' || entry.startsWith('.')) continue;
    await symlink(join(repository, 'node_modules', entry), join(copy, 'node_modules', entry));
  }
  for (const lib of await readdir(join(copy, 'libs'))) {
    await symlink(join(copy, 'libs', lib), join(copy, 'node_modules', '@annals', lib));
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
): Promise<{ code: number; output: string }> {
  const flags = [join(copy, 'tools/sim/main.ts'), product, '--seeds', String(seeds)];
  try {
    const { stdout } = await run(process.execPath, flags, { cwd: copy });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

describe('planted bugs', () => {
  test.for(['leaderboard', 'kafka'])(
    '%s: the copy without one holds every promise',
    { timeout: 120_000 },
    async (product) => {
      const { code, output } = await simulate(await scratchCopy(`none-${product}`), product, 20);
      expect(output).toContain('all promises held');
      expect(code).toBe(0);
    },
  );

  test.for(patches)('%s is found', { timeout: 180_000 }, async (patch) => {
    const product = productOf(patch);
    const copy = await scratchCopy(`${product}-${basename(patch, '.patch')}`);
    // A patch that no longer applies fails here: the code it was made for has changed.
    await run('git', ['apply', '--verbose', join(planted, patch)], { cwd: copy });
    const { code, output } = await simulate(copy, product, seedsMax);
    expect(output).toMatch(/seed \d+ broke ".+": npm run sim -- \w+ --seed \d+/);
    expect(code).toBe(1);
  });
});
