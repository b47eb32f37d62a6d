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
        : error.message;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `this machine has no address ${HOST}: set HOST`;
    default:
      return error.message;
  }
}

function isListening(error: NodeJS.ErrnoException): boolean {
  return error.syscall === 'listen';
}
