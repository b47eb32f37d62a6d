import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type SqliteEventLog, type SqliteEventLogOptions, sqliteEventLog } from '../index.ts';

/** An empty folder, removed when the running test has finished. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'annals-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The log in `folder`, closed when the running test has finished. */
export async function openIn(
  folder: string,
  options: Omit<SqliteEventLogOptions, 'folder'> = {},
): Promise<SqliteEventLog> {
  const log = await sqliteEventLog({ folder, ...options });
  onTestFinished(() => log.close());
  return log;
}
