import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SourceFile, type SourceTree, sourceTreeOf } from './source-tree.ts';

/** The folder that holds the whole repository. */
export const repositoryRoot = join(import.meta.dirname, '..', '..');

/** Bytes of the longest list of paths that git may answer. */
const listBytesMax = 64 * 1024 * 1024;

/** All text files that are tracked, or would be by `git add`. Throws when git or a file cannot be read. */
export function readSourceTree(root: string = repositoryRoot): SourceTree {
  const list = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: listBytesMax,
  });
  const paths = [...new Set(list.split('\0'))].filter((path) => path !== '').sort();
  return sourceTreeOf(paths.flatMap((path) => textFile(root, path)));
}

/** Nothing for a binary file, and for one that is tracked but was just deleted. */
function textFile(root: string, path: string): SourceFile[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(root, path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return bytes.includes(0) ? [] : [{ path, text: bytes.toString('utf8') }];
}
