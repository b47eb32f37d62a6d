import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';

export type SqliteStoreErrorCode = 'disk-full' | 'read-only' | 'busy' | 'corrupt' | 'closed' | 'io';

/** Broken I/O or a file that must not be used; `code` is stable, `message` says what to do. Nothing was written. */
export class SqliteStoreError extends Error {
  readonly code: SqliteStoreErrorCode;
  constructor(code: SqliteStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SqliteStoreError';
    this.code = code;
  }
}

const advice: { readonly [code in SqliteStoreErrorCode]: string } = {
  'disk-full': 'the disk (or the limit set for the file) is full: free some space, then it goes on',
  'read-only': 'the folder or the file cannot be written: check its owner and mode, and the mount',
  busy: 'another process kept the file locked for too long',
  corrupt: 'the file is damaged: drop this generation and rebuild it from the log',
  closed: 'the store is closed',
  io: 'reading or writing failed',
};

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html). */
const bySqliteCode: { readonly [code: number]: SqliteStoreErrorCode } = {
  5: 'busy',
  6: 'busy',
  8: 'read-only',
  10: 'io',
  11: 'corrupt',
  13: 'disk-full',
  14: 'io',
  26: 'corrupt',
};

const byErrno: { readonly [code: string]: SqliteStoreErrorCode } = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EROFS: 'read-only',
  EACCES: 'read-only',
  EPERM: 'read-only',
};

/** What SQLite or the file system threw, as a SqliteStoreError that names the file; anything else unchanged. */
export function storeError(error: unknown, path: string): unknown {
  const code = codeOf(error, path);
  if (code === undefined) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new SqliteStoreError(code, `${path}: ${advice[code]} (${said})`, { cause: error });
}

export function closedError(path: string): SqliteStoreError {
  return new SqliteStoreError('closed', `${path}: ${advice.closed}`);
}

/** Something is there, and it is no SQLite file: what was there is lost. */
export function isNoDatabase(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 26;
}

function codeOf(error: unknown, path: string): SqliteStoreErrorCode | undefined {
  if (!(error instanceof Error) || !('code' in error) || error instanceof SqliteStoreError) {
    return undefined;
  }
  if ('errcode' in error && error.errcode === cannotOpen && !isWritable(dirname(path))) {
    return 'read-only';
  }
  if ('errcode' in error) return bySqliteCode[Number(error.errcode) & 0xff] ?? 'io';
  // A statement of a connection that was closed.
  if (error.code === 'ERR_INVALID_STATE') return 'closed';
  if (!('syscall' in error)) return undefined;
  return byErrno[String(error.code)] ?? 'io';
}

/** SQLITE_CANTOPEN: says nothing of why. */
const cannotOpen = 14;

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
