import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { annals, annalsJson, repositoryRoot, startAnnals } from './testing/cli.ts';
import { appendScores, scoredFolder } from './testing/data-folder.ts';

// Files are synced, and the machine may be busy: slow is no failure here.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** The command as a process of its own: what only a process shows. */

const patience = { timeout: 25_000, interval: 50 };

function started(argv: readonly string[], env?: Record<string, string>) {
  const running = startAnnals(argv, env);
  onTestFinished(() => void running.child.kill('SIGKILL'));
  return running;
}

async function firstCheckpoint(folder: string): Promise<string | null | undefined> {
  const { out } = await annals(['status', '--json', '--data', folder]);
  const status = JSON.parse(out) as {
    projections: { generations: { checkpoint: string | null }[] }[];
  };
  return status.projections[0]?.generations[0]?.checkpoint;
}

describe('the process', () => {
  it('is what npx annals starts, and ends with the exit code of the command', async () => {
    const run = async (...argv: readonly string[]) => {
      const child = spawn('npx', ['annals', ...argv], { cwd: repositoryRoot, stdio: 'ignore' });
      const [code] = (await once(child, 'exit')) as [number];
      return code;
    };
    expect(await run('--help')).toBe(exitCodes.ok);
    expect(await run('status', '--data', 'no/such/folder')).toBe(exitCodes.unavailable);
    expect(await run('frob')).toBe(exitCodes.usage);
  });

  it('reads and writes the environment and the pipes it was given', async () => {
    const folder = await scoredFolder(40);
    const env = { ANNALS_DATA: folder };
    const exported = await started(['log', 'export', '-'], env).ended;
    expect(exported.code).toBe(exitCodes.ok);
    const target = join(folder, 'copy');
    const importing = started(['log', 'import', '-', '--json'], { ANNALS_DATA: target });
    importing.child.stdin.end(exported.out);
    const imported = await importing.ended;
    expect(imported).toMatchObject({ code: exitCodes.ok, err: '' });
    expect(JSON.parse(imported.out)).toMatchObject({ added: 40, present: 0, others: 0 });
  });

  it('ends when the program behind its pipe goes away', async () => {
    const folder = await scoredFolder(5_000);
    for (const command of [
      ['log', 'tail', '--follow', '--limit', '5000'],
      ['log', 'export', '-'],
    ]) {
      const running = started([...command, '--data', folder]);
      await once(running.child.stdout, 'data');
      running.child.stdout.destroy();
      const { code, err } = await running.ended;
      expect(code).toBe(exitCodes.pipeClosed);
      expect(err).toBe('');
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'comes to rest on %s: a rebuild says how to go on, and goes on',
    async (signal) => {
      const folder = await scoredFolder(9_000);
      const argv = ['rebuild', 'leaderboard', '--data', folder];
      const running = started([...argv, '--throttle', '0.01']);
      await expect.poll(() => firstCheckpoint(folder), patience).toMatch(/^0:/);
      running.child.kill(signal);
      const stopped = await running.ended;
      expect(stopped.code).toBe(exitCodes.interrupted);
      expect(stopped.err).toMatch(/the same command goes on from there/);
      const again = await started(argv).ended;
      expect(again.code).toBe(exitCodes.ok);
      expect(again.out).toMatch(/finished an interrupted rebuild/);
      const refold = ['verify', 'leaderboard', '--refold', '--data', folder];
      expect(await annalsJson<object>(refold)).toMatchObject({ result: 'verified' });
    },
  );

  it('that was killed in the middle of a rebuild leaves one to go on with', async () => {
    const folder = await scoredFolder(9_000);
    const argv = ['rebuild', 'leaderboard', '--data', folder];
    const running = started([...argv, '--throttle', '0.01']);
    await expect.poll(() => firstCheckpoint(folder), patience).toMatch(/^0:/);
    running.child.kill('SIGKILL');
    await running.ended;
    await appendScores(folder, 9_000, 9_050);
    const again = await started(argv).ended;
    expect(again.out).toMatch(/finished an interrupted rebuild/);
    const refold = ['verify', 'leaderboard', '--refold', '--data', folder];
    expect(await annalsJson<object>(refold)).toMatchObject({ result: 'verified' });
  });

  it('shows where a fault was found only when it is asked to', async () => {
    const argv = ['status', '--data', 'no/such/folder'];
    expect((await started(argv).ended).err.split('\n')).toHaveLength(2);
    const told = await started(argv, { ANNALS_DEBUG: '1' }).ended;
    expect(told.err).toMatch(/\n {4}at /);
  });
});
