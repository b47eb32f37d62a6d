import { fileProblem } from '@annals/core';
import type { Config } from './config.ts';

/** Why the platform could not start, as one line for whoever started it. */
export function startFailure(
  error: unknown,
  { HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>,
): string {
  if (!(error instanceof Error)) return String(error);
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return `port ${PORT} of ${HOST} is in use: stop what listens there, or set PORT`;
    case 'EACCES':
      return isListening(error)
        ? `port ${PORT} needs more rights than this user has: set PORT to 1024 or higher`
        : fileFailure(error);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `this machine has no address ${HOST}: set HOST`;
    default:
      return fileFailure(error);
  }
}

/** Of the files it opens while it starts, all lie below the data folder. */
function fileFailure(error: Error): string {
  const problem = fileProblem(error);
  return problem ? `${problem.sentence}. ANNALS_DATA says where the data is` : error.message;
}

function isListening(error: NodeJS.ErrnoException): boolean {
  return error.syscall === 'listen';
}
