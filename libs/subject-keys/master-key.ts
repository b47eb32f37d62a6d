import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { limits } from './limits.ts';

export type MasterKeyErrorCode =
  | 'invalid-master-key'
  /** The file can be read by others than its owner. */
  | 'master-key-exposed'
  /** A rotation was interrupted: run `rotateMasterKeyFile` again. */
  | 'rotation-unfinished';

/** A master key that cannot be used; `message` says what to do. It never shows the key. */
export class MasterKeyError extends Error {
  readonly code: MasterKeyErrorCode;
  constructor(code: MasterKeyErrorCode, message: string) {
    super(message);
    this.name = 'MasterKeyError';
    this.code = code;
  }
}

/** The text form of a master key: 64 hex digits. For zod schemas of configuration. */
export const masterKeyPattern = /^[0-9a-fA-F]{64}$/;

/** The 32 bytes of a master key from its text form, as in `ANNALS_MASTER_KEY`. Throws MasterKeyError. */
export function masterKeyFrom(text: string): Uint8Array {
  if (!masterKeyPattern.test(text)) {
    throw new MasterKeyError('invalid-master-key', 'a master key is 64 hex digits');
  }
  return Buffer.from(text, 'hex');
}

/**
 * The master key in `file` (default of the embedded service: `master.key` in the data folder); made
 * once, by whichever process comes first, with mode 0600. Whoever has this file and the key store can
 * read personal data; whoever loses it has lost all of it: back it up apart from both.
 * Throws MasterKeyError, and the system's error when the file cannot be read or written.
 */
export function loadMasterKey(options: { readonly file: string }): Uint8Array {
  const { file } = options;
  if (statSync(nextKeyFile(file), { throwIfNoEntry: false })) {
    throw new MasterKeyError(
      'rotation-unfinished',
      `${nextKeyFile(file)} is there: a rotation of the master key was interrupted, run it again`,
    );
  }
  if (!statSync(file, { throwIfNoEntry: false })) writeNewKey(file);
  return readMasterKey(file);
}

/** Where a rotation keeps the new key until all subject keys are wrapped under it. */
export function nextKeyFile(file: string): string {
  return `${file}.next`;
}

/** The key in the file of a rotation; made when there is none. */
export function loadNextKey(file: string): Uint8Array {
  const next = nextKeyFile(file);
  if (!statSync(next, { throwIfNoEntry: false })) writeNewKey(next);
  return readMasterKey(next);
}

/** The key in a file that is there. Throws as `loadMasterKey` does. */
export function readMasterKey(file: string): Uint8Array {
  const { mode } = statSync(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new MasterKeyError(
      'master-key-exposed',
      `${file} can be read by others than its owner: chmod 600 it, and rotate the key if others may have read it`,
    );
  }
  const text = readFileSync(file, 'utf8').trim();
  if (!masterKeyPattern.test(text)) {
    throw new MasterKeyError('invalid-master-key', `${file} does not hold 64 hex digits`);
  }
  return Buffer.from(text, 'hex');
}

/** Writes a whole key under a name of its own and links it to `file`: nobody sees half a key, and the first one stays. */
function writeNewKey(file: string): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `.master-key-${process.pid}-${randomBytes(6).toString('hex')}`);
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, `${randomBytes(limits.keyBytes).toString('hex')}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  syncFolder(folder);
}

/** Makes names in a folder durable: an fsync of a file says nothing of its name. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
