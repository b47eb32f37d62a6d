import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { readRecord, repositoryRoot } from './engines-folder.ts';
import { isRunning } from './process-identity.ts';
import { describeInOwnFolder } from './testing/own-folder.ts';

const report = z.object({
  testResults: z.array(
    z.object({
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()),
        }),
      ),
    }),
  ),
});

await describeInOwnFolder('redis', 'a suite on an engine', ({ site }) => {
  /** What became of the tests of `testing/on-redis.ts` in a run with this environment. */
  async function testsIn(env: NodeJS.ProcessEnv) {
    const program = join(import.meta.dirname, 'testing/run-on-redis.ts');
    const own = Object.entries(site.env).filter(
      ([name]) => !/^(?:VITEST|NODE_|ENGINES$)/.test(name),
    );
    const options = {
      cwd: repositoryRoot,
      env: { ...Object.fromEntries(own), ANNALS_ENGINES_FOLDER: site.folder, ...env },
    };
    const file = join(site.folder, 'report.json');
    // It fails when a test of it does; what that was is in the report.
    await new Promise<void>((resolve) => {
      execFile(process.execPath, [program, file], options, () => resolve());
    });
    const text = await readFile(file, 'utf8');
    await rm(file);
    return report
      .parse(JSON.parse(text))
      .testResults.flatMap(({ assertionResults }) => assertionResults)
      .map(({ fullName, status, failureMessages }) => ({
        name: fullName,
        status,
        why: failureMessages.join('\n'),
      }));
  }

  it('is skipped test by test, with the reason, where the programs are missing', async () => {
    const tests = await testsIn({ PATH: '' });
    expect(tests.map(({ status }) => status)).toEqual(['skipped', 'skipped']);
    for (const { name } of tests) expect(name).toContain('skipped: redis-server is not installed');
  });

  it('fails there when engines are required', async () => {
    const tests = await testsIn({ PATH: '', ENGINES: 'required' });
    expect(tests.map(({ status }) => status)).toEqual(['failed']);
    expect(tests[0]?.why).toContain('redis-server is not installed');
  });

  it('uses the engine that all share, and cannot kill it', async () => {
    const [looks, kills] = await testsIn({});
    expect(looks).toMatchObject({ name: 'on Redis looks at it', status: 'passed' });
    expect(kills).toMatchObject({ status: 'failed', why: expect.stringContaining('is shared') });
    expect(isRunning(readRecord(site, 'redis')?.nodes[0]?.process)).toBe(true);
  });

  it('with a label has one of its own, which is gone afterwards', async () => {
    const tests = await testsIn({ ANNALS_TEST_LABEL: 'own' });
    expect(tests.map(({ status }) => status)).toEqual(['passed', 'passed']);
    expect(readRecord(site, 'redis@own')).toBeUndefined();
  });
});
