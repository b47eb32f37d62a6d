const reasons: { readonly [code: string]: string } = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  EEXIST: 'something of that name is there already',
  EACCES: 'this user has no right to it',
  EPERM: 'this user has no right to it',
  EROFS: 'its disk is mounted for reading only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
  EIO: 'the disk failed',
};

/** What the operating system said of a file, for people. */
export interface FileProblem {
  /** The code of the operating system, as in `ENOTDIR`. */
  readonly code: string;
  /** A sentence without its full stop: which file, and what is wrong with it. */
  readonly sentence: string;
}

/** The sentence for an error of Node's file functions; undefined for any other error. */
export function fileProblem(error: unknown): FileProblem | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path } = error as Error & { readonly code?: unknown; readonly path?: unknown };
  if (typeof code !== 'string' || typeof path !== 'string') return undefined;
  const reason = reasons[code];
  return reason === undefined ? undefined : { code, sentence: `${path} cannot be used: ${reason}` };
}
