import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandBlocksOf } from './docs-commands.ts';
import { repositoryRoot } from './read-tree.ts';

/** `.ci/run` in a folder of its own, where every program it calls is a small script that writes down its call. */
describe('.ci/run', () => {
  let folder = '';
  const bin = () => join(folder, 'bin');
  const wholeRun = [
    'npm ci',
    'npm run engines -- fetch',
    'npm run engines -- up redis redis-cluster kafka cassandra eventstoredb',
    'npm test',
    'npm run test:long',
    'npm run engines -- down --wipe',
    'npx node tools/tidy/sum-reports.ts --long',
  ];
  const engines = [
    'strace',
    'curl',
    'git',
    'redis-server',
    'redis-cli',
    'java',
    'mvn',
    'docker-compose',
  ];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'annals-ci-'));
    for (const path of ['.ci', 'bin', 'reports', 'node_modules/.bin']) {
      mkdirSync(join(folder, path), { recursive: true });
    }
    cpSync(join(repositoryRoot, '.ci', 'run'), join(folder, '.ci', 'run'));
    for (const tool of ['bash', 'dirname', 'env', 'mktemp', 'rm', 'tail', 'ls']) {
      symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bin(), tool));
    }
    for (const engine of engines) program(engine, '');
    program('npm', '');
    program('npx', 'echo "core: skipped: on Redis"; echo "3 passed, 0 failed, 1 skipped"');
    writeFileSync(join(folder, 'node_modules/.bin/node'), '');
    chmodSync(join(folder, 'node_modules/.bin/node'), 0o755);
    writeFileSync(join(folder, 'reports', 'core.json'), 'of an earlier run');
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  function program(name: string, body: string): void {
    const path = join(bin(), name);
    writeFileSync(path, `#!/usr/bin/env bash\necho "${name} $*" >> "$CALLS"\n${body}\n`);
    chmodSync(path, 0o755);
  }

  function run() {
    const calls = join(folder, 'calls');
    writeFileSync(calls, '');
    const { status, stdout, stderr } = spawnSync(join(folder, '.ci', 'run'), {
      cwd: tmpdir(),
      env: { PATH: bin(), CALLS: calls },
      encoding: 'utf8',
    });
    return {
      status,
      lastLine: stdout.trimEnd().split('\n').at(-1),
      calls: readFileSync(calls, 'utf8').trim().split('\n'),
      stderr,
    };
  }

  it('runs npm ci, npm test and the sum, whose line is the last', () => {
    expect(run()).toEqual({
      status: 0,
      lastLine: '3 passed, 0 failed, 1 skipped',
      calls: wholeRun,
      stderr: '',
    });
  });

  it('removes the reports of an earlier run first', () => {
    program('npm', '[ "$1" != test ] || ls reports >&2');
    expect(run().stderr).toContain('reports');
    expect(run().stderr).not.toContain('core.json');
  });

  it('keeps the exit code of npm test, when all reports are green, too', () => {
    program('npm', '[ "$1" != test ] || exit 3');
    expect(run()).toMatchObject({ status: 3, lastLine: '3 passed, 0 failed, 1 skipped' });
  });

  it('fails when only the long tests do', () => {
    program('npm', '[ "$2" != test:long ] || exit 3');
    expect(run()).toMatchObject({ status: 1, calls: wholeRun });
  });

  it('fails when the sum finds a failure, when npm test passed, too', () => {
    program('npx', 'echo "3 passed, 1 failed, 0 skipped"; exit 1');
    expect(run()).toMatchObject({ status: 1, lastLine: '3 passed, 1 failed, 0 skipped' });
  });

  it('tests nothing when npm ci fails, and says so', () => {
    program('npm', '[ "$1" != ci ] || exit 7');
    expect(run()).toMatchObject({ status: 7, calls: wholeRun.toSpliced(1, 4) });
  });

  it('tests nothing when the jars of the engines cannot be fetched, and shows why', () => {
    program('npm', '[ "$4" != fetch ] || { echo "no such jar"; exit 6; }');
    const outcome = run();
    expect(outcome).toMatchObject({ status: 6, calls: wholeRun.toSpliced(2, 3) });
    expect(outcome.stderr).toContain('no such jar');
  });

  it('tests nothing when an engine does not start, and shows why', () => {
    program('npm', '[ "$4" != up ] || { echo "no memory left"; exit 1; }');
    const outcome = run();
    expect(outcome).toMatchObject({ status: 1, calls: wholeRun.toSpliced(3, 2) });
    expect(outcome.stderr).toContain('no memory left');
  });

  it('fails when the engines cannot be ended, and still has its last line', () => {
    program('npm', '[ "$4" != down ] || exit 1');
    expect(run()).toMatchObject({ status: 1, lastLine: '3 passed, 0 failed, 1 skipped' });
  });

  it('has a last line also where npm ci left no Node.js behind', async () => {
    program('npm', 'exit 7');
    await rm(join(folder, 'node_modules'), { recursive: true });
    expect(run()).toMatchObject({ status: 7, lastLine: '0 passed, 1 failed, 0 skipped' });
  });

  it('installs what is missing, and only that', async () => {
    program('apt-get', '');
    await rm(join(bin(), 'strace'));
    expect(run().calls).toEqual([
      'apt-get update -q',
      'apt-get install -q -y --no-install-recommends strace',
      ...wholeRun,
    ]);
  });

  it('shows why an installation failed, and fails', async () => {
    program('apt-get', 'echo "no such package"; exit 100');
    await rm(join(bin(), 'strace'));
    const outcome = run();
    expect(outcome.status).toBe(100);
    expect(outcome.stderr).toContain('no such package');
    expect(outcome.calls).not.toContain('npm test');
  });

  it('runs the commands of README.md', () => {
    const text = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
    const commands = commandBlocksOf({ path: 'README.md', text }).map((one) => one.commands);
    expect(commands).toContain('npm ci && npm test && npm run test:long');
    const script = readFileSync(join(repositoryRoot, '.ci', 'run'), 'utf8');
    const inScript = [
      'npm ci && quietly npm run engines -- fetch',
      'npm test',
      'npm run test:long',
    ];
    for (const command of inScript) expect(script).toContain(command);
  });
});
