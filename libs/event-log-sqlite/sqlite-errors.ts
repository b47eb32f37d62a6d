import { EventLogError, type EventLogErrorCode } from '@annals/event-log/port';

/** Primary result codes of SQLite (https://sqlite.org/rescode.html). */
const sqliteCode = {
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** SQLITE_IOERR_SHMSIZE: there is no room for the index of the write-ahead log. */
const noRoomForSharedMemory = 4_874;

/** The low byte of an extended result code, or undefined for errors that are not SQLite's. */
function primaryCode(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode;
  if (code === noRoomForSharedMemory) return sqliteCode.full;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === sqliteCode.busy;
}

/** What SQLite or the file system reported, as the error the port promises. Other errors are bugs and pass unchanged. */
export function toEventLogError(error: unknown, path: string): unknown {
  if (error instanceof EventLogError) return error;
  const found = explain(error, path);
  return found ? new EventLogError(found.code, found.message, { cause: error }) : error;
}

interface Explained {
  readonly code: EventLogErrorCode;
  readonly message: string;
}

function explain(error: unknown, path: string): Explained | undefined {
  const detail = error instanceof Error ? error.message : String(error);
  switch (primaryCode(error) ?? (error as { readonly code?: unknown } | null)?.code) {
    case sqliteCode.full:
    case 'ENOSPC':
    case 'EDQUOT':
      return {
        code: 'disk-full',
        message: `${path}: the disk is full, and nothing was stored. Free some space: appends then work again (${detail})`,
      };
    case sqliteCode.readOnly:
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return {
        code: 'read-only',
        message: `${path} cannot be written: check the rights of the folder and how its disk is mounted (${detail})`,
      };
    case sqliteCode.corrupt:
      return {
        code: 'corrupt',
        message: `${path} is damaged: check the log's integrity and restore it from a backup (${detail})`,
      };
    case sqliteCode.notADatabase:
      return {
        code: 'not-a-log',
        message: `${path} is not an SQLite database, or its first page is destroyed (${detail})`,
      };
    case sqliteCode.busy:
      return {
        code: 'io',
        message: `${path} is locked by another process for longer than expected (${detail})`,
      };
    case sqliteCode.cannotOpen:
    case sqliteCode.ioError:
    case 'EIO':
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
    case 'EMFILE':
      return { code: 'io', message: `${path}: the file system failed (${detail})` };
    default:
      return primaryCode(error) === undefined
        ? undefined
        : { code: 'io', message: `${path}: SQLite failed (${detail})` };
  }
}
