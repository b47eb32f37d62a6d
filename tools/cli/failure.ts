import { fileProblem } from '@annals/core';
import { ChangedEventError, EventLogError } from '@annals/event-log';
import { BadLogUrlError, NoDataFolderError } from '@annals/projector';
import { MasterKeyError, SubjectKeyStoreError } from '@annals/subject-keys';
import { CommanderError } from 'commander';
import { CommandError, type ExitCode, exitCodes } from './exit-codes.ts';
import { printable } from './printable.ts';

/** How a command ends that threw: one line, a stable code, an exit code. */
export interface Failure {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly message: string;
  readonly details?: CommandError['details'];
}

/** Codes of named errors that say: something needed is not there, or is not what it should be. */
const unavailableCodes: ReadonlySet<string> = new Set([
  'no-data-folder',
  'newer-format',
  'not-a-log',
  'not-a-key-store',
  'wrong-master-key',
  'invalid-master-key',
  'master-key-exposed',
  'rotation-unfinished',
  'store-lost',
  'read-model-building',
  'unreachable',
  'refused',
  'another-site',
  'is-cluster',
  'no-cluster',
  'foreign-keys',
  'evicts',
]);

export function failureOf(error: unknown): Failure {
  if (error instanceof CommandError) {
    return { ...failure(error.exitCode, error.code, error.message), details: error.details };
  }
  if (error instanceof CommanderError) {
    // Commander says "error: unknown option '--jsn'" and, on a line of its own, what may have been meant.
    return failure(exitCodes.usage, 'usage', error.message.replace(/^error: /, ''));
  }
  if (!(error instanceof Error)) return failure(exitCodes.failed, 'failed', String(error));
  if (error.name === 'ExitPromptError' || error.name === 'AbortPromptError') {
    return failure(exitCodes.interrupted, 'interrupted', 'stopped: nothing was changed');
  }
  if (error instanceof BadLogUrlError) {
    return failure(exitCodes.usage, error.code, error.message);
  }
  // Of the relay, whose package is loaded only where it is used.
  if ('code' in error && (error.code === 'event-refused' || error.code === 'topic-of-a-log')) {
    return failure(exitCodes.refused, error.code, error.message);
  }
  if (error instanceof ChangedEventError) {
    const message = `${error.message}. annals log verify finds all such events`;
    return failure(exitCodes.different, error.code, message);
  }
  const file = fileProblem(error);
  if (file) {
    const exitCode = machineCodes.has(file.code) ? exitCodes.failed : exitCodes.unavailable;
    return failure(exitCode, 'file-system', file.sentence);
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'failed';
  // Of the logs that are elsewhere, whose packages are loaded only where they are used: it is not what it was.
  const isAnotherLog = error.name === 'FollowError';
  const isUnavailable = isAnotherLog || unavailableCodes.has(code);
  const exitCode = isUnavailable ? exitCodes.unavailable : exitCodes.failed;
  return failure(
    exitCode,
    code,
    isNamed(error) ? error.message : `${error.name}: ${error.message}`,
  );
}

/** What the machine fails at, where a file would be fine; all others say that the file cannot be used. */
const machineCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE']);

/** Errors whose message alone is a sentence for an operator. */
function isNamed(error: Error): boolean {
  return (
    error instanceof EventLogError ||
    error instanceof NoDataFolderError ||
    error instanceof SubjectKeyStoreError ||
    error instanceof MasterKeyError ||
    'syscall' in error ||
    'code' in error
  );
}

function failure(exitCode: ExitCode, code: string, message: string): Failure {
  const oneLine = message.trim().replace(/\s*\n\s*/g, ' ');
  return { exitCode, code, message: printable(oneLine) };
}
