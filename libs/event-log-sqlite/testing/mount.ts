import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Why this machine lets nobody mount here, or undefined when it does. */
export function mountProblem(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'annals-mount-'));
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder);
    run('umount', folder);
    return undefined;
  } catch (error) {
    return `cannot mount a tmpfs: ${String((error as Error).message)
      .split('\n')
      .at(0)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file system of `kilobytes` in memory, gone when the running test has finished. */
export function mountSmallDisk(kilobytes: number): {
  readonly folder: string;
  /** From now on nothing can be written there. */
  makeReadOnly(): void;
} {
  const root = mkdtempSync(join(tmpdir(), 'annals-disk-'));
  const folder = join(root, 'disk');
  mkdirSync(folder);
  run('mount', '-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder);
  onTestFinished(() => {
    run('umount', '-l', folder);
    rmSync(root, { recursive: true, force: true });
  });
  return { folder, makeReadOnly: () => run('mount', '-o', 'remount,ro', folder) };
}

function run(command: string, ...parameters: readonly string[]): void {
  execFileSync(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
}
