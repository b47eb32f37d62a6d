import { EventLogError } from '@annals/event-log';
import { type Problem, unavailable } from '@annals/http';
import { ApiKeysUnavailableError } from '@annals/iam';

const retryAfterSeconds = 5;

/** Broken I/O that passes once somebody has made room or mended something: 503 instead of 500. */
export function translate(error: unknown): Problem | undefined {
  if (error instanceof ApiKeysUnavailableError) {
    return unavailable('keys cannot be checked right now', retryAfterSeconds);
  }
  if (!(error instanceof EventLogError)) return undefined;
  switch (error.code) {
    case 'disk-full':
      return unavailable(
        'the disk of the event log is full: nothing was stored',
        retryAfterSeconds,
      );
    case 'read-only':
      return unavailable('the event log cannot be written: nothing was stored', retryAfterSeconds);
    case 'closed':
      return unavailable('the service is stopping', 1);
    default:
      return undefined;
  }
}
