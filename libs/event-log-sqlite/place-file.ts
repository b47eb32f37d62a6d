import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';

/** What a file system without hard links answers. */
const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Gives the finished file `draft` the name `target` in one step, durably: a file of that name is
 * always whole. False when there is one already; it is left alone.
 */
export function placeFile(draft: string, target: string): boolean {
  sync(draft, 'r+');
  try {
    linkSync(draft, target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST') return false;
    if (!noHardLinks.has(code)) throw error;
    if (existsSync(target)) return false;
    renameSync(draft, target);
  }
  // A new name is durable only when its folder is.
  sync(dirname(target), 'r');
  return true;
}

/** Tells later whether `path` is still the file that is there now: one that is removed goes on to be usable where it is open. */
export function inPlace(path: string): () => boolean {
  const opened = statSync(path).ino;
  return () => statSync(path, { throwIfNoEntry: false })?.ino === opened;
}

/** Makes `folder` and what is missing above it, durably. */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  const last = dirname(resolve(first));
  let changed = resolve(folder);
  do {
    changed = dirname(changed);
    sync(changed, 'r');
  } while (changed !== last && changed !== dirname(changed));
}

function sync(path: string, flags: string): void {
  const descriptor = openSync(path, flags);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
