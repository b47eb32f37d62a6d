import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The files below `folder` that hold `text` in their raw bytes. Read by another process: closing a
 * SQLite file here would drop the locks that this process's own connections hold on it.
 */
export function filesHolding(folder: string, text: string): string[] {
  return filesBelow(folder).filter((file) => {
    // A file that goes away meanwhile holds nothing.
    const bytes = readByAnother(join(folder, file));
    return bytes.includes(Buffer.from(text));
  });
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

function readByAnother(path: string): Buffer {
  try {
    return execFileSync('cat', [path], { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return Buffer.alloc(0);
  }
}
