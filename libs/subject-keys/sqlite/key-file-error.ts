import { SubjectKeyStoreError, type SubjectKeyStoreErrorCode } from '../port.ts';

/** Primary result codes of SQLite, https://sqlite.org/rescode.html. */
const codes: { readonly [resultCode: number]: SubjectKeyStoreErrorCode } = {
  5: 'busy',
  6: 'busy',
  8: 'read-only',
  11: 'corrupt',
  13: 'disk-full',
  26: 'not-a-key-store',
};

const systemCodes: { readonly [code: string]: SubjectKeyStoreErrorCode } = {
  EACCES: 'read-only',
  EPERM: 'read-only',
  EROFS: 'read-only',
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
};

/** Any failure at the key file as the port names it. */
export function keyFileError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error instanceof SubjectKeyStoreError) return error;
  const { errcode, code } = error as { errcode?: number; code?: string };
  if (typeof errcode === 'number') {
    const named = codes[errcode & 0xff] ?? 'io';
    return new SubjectKeyStoreError(named, `${file}: ${error.message}`, { cause: error });
  }
  if (typeof code === 'string' && 'syscall' in error) {
    const named = systemCodes[code] ?? 'io';
    return new SubjectKeyStoreError(named, `${file}: ${error.message}`, { cause: error });
  }
  return error;
}
