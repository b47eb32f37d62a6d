import { renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { KeyWrapping } from '../key-wrapping.ts';
import {
  loadMasterKey,
  loadNextKey,
  nextKeyFile,
  readMasterKey,
  syncFolder,
} from '../master-key.ts';
import { SubjectKeyStoreError } from '../port.ts';
import { openKeyFile } from './open-key-file.ts';

/**
 * Wraps every subject key in `folder` under the master key `to`, in one transaction: after a crash
 * either all are or none is. Resolves with how many there are; they are as many as before, and no
 * event changes. Stores open under `from` answer `wrong-master-key` from then on: restart them.
 * Copies of the file made before still open under `from`.
 */
export async function rotateMasterKey(options: {
  readonly folder: string;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}): Promise<number> {
  const keys = await openKeyFile(options.folder, new KeyWrapping(options.from));
  try {
    return keys.rewrap(new KeyWrapping(options.to));
  } finally {
    keys.close();
  }
}

/**
 * The same for a master key kept in a file (see `loadMasterKey`): makes a new key, wraps under it,
 * and puts it in the place of the old one. Interrupted at any point, it is finished by running it
 * again; until then `loadMasterKey` refuses with `rotation-unfinished`.
 */
export async function rotateMasterKeyFile(options: {
  readonly folder: string;
  readonly file: string;
}): Promise<void> {
  const { folder, file } = options;
  const resumed = statSync(nextKeyFile(file), { throwIfNoEntry: false }) !== undefined;
  if (!resumed) loadMasterKey({ file });
  const to = loadNextKey(file);
  if (!(resumed && (await opensUnder(folder, to)))) {
    await rotateMasterKey({ folder, from: readMasterKey(file), to });
  }
  renameSync(nextKeyFile(file), file);
  syncFolder(dirname(file));
}

/** Whether the interrupted rotation had already come past its transaction. */
async function opensUnder(folder: string, masterKey: Uint8Array): Promise<boolean> {
  try {
    (await openKeyFile(folder, new KeyWrapping(masterKey))).close();
    return true;
  } catch (error) {
    if (error instanceof SubjectKeyStoreError && error.code === 'wrong-master-key') return false;
    throw error;
  }
}
