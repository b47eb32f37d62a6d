import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { syncFolder } from '../master-key.ts';
import { keyFileName } from './key-file.ts';
import { keyFileError } from './key-file-error.ts';

/**
 * Copies the key store of `folder` to the new file `to` (mode 0600) while it is in use. Needs no
 * master key: what is copied stays wrapped. Keep it apart from backups of the log, and expire it:
 * a copy holds the keys that are erased later. See `enforceErasures` for putting one back.
 * Throws SubjectKeyStoreError; never overwrites a file.
 */
export async function backupSubjectKeys(options: {
  readonly folder: string;
  readonly to: string;
}): Promise<void> {
  const file = join(options.folder, keyFileName);
  try {
    closeSync(openSync(options.to, 'wx', 0o600));
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      await backup(db, options.to);
    } finally {
      db.close();
    }
    const descriptor = openSync(options.to, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
    syncFolder(dirname(options.to));
  } catch (error) {
    throw keyFileError(error, options.to);
  }
}
