import { EventLogError } from '@annals/event-log';
import { type Problem, unavailable } from '@annals/http';
import { ApiKeysUnavailableError } from '@annals/iam';
import { PaymentsBuildingError } from '@annals/projector';
import { SubjectKeyStoreError } from '@annals/subject-keys';
import {
  engineOf,
  isStoreAway,
  ReadModelBuildingError,
  ReadModelVersionError,
} from './leaderboard-reads.ts';

const retryAfterSeconds = 5;

/** Broken I/O that passes once somebody has made room or mended something: 503 instead of 500. */
export function translate(error: unknown): Problem | undefined {
  if (error instanceof ReadModelBuildingError || error instanceof PaymentsBuildingError) {
    return unavailable(error.message, 1);
  }
  if (error instanceof ReadModelVersionError) {
    return unavailable(error.message, retryAfterSeconds);
  }
  if (error instanceof ApiKeysUnavailableError) {
    return unavailable('keys cannot be checked right now', retryAfterSeconds);
  }
  if (isStoreAway(error)) {
    const store = `the store of the read models (${engineOf(error)})`;
    return unavailable(`${store} does not answer`, retryAfterSeconds);
  }
  if (error instanceof EventLogError) return fromStore(error.code, 'event log');
  if (error instanceof SubjectKeyStoreError) {
    return fromStore(error.code, 'store of the keys of personal data');
  }
  return undefined;
}

function fromStore(code: string, store: string): Problem | undefined {
  switch (code) {
    case 'disk-full':
      return unavailable(`the disk of the ${store} is full: nothing was stored`, retryAfterSeconds);
    case 'read-only':
      return unavailable(`the ${store} cannot be written: nothing was stored`, retryAfterSeconds);
    case 'io':
      return unavailable(`the ${store} cannot be read or written`, retryAfterSeconds);
    case 'busy':
    case 'overloaded':
      return unavailable(`the ${store} is busy`, 1);
    case 'catching-up':
      return unavailable(`the ${store} is catching up`, retryAfterSeconds);
    case 'unreachable':
      return unavailable(`the ${store} does not answer`, retryAfterSeconds);
    case 'refused':
      return unavailable(`the ${store} refuses this service`, retryAfterSeconds);
    case 'closed':
      return unavailable('the service is stopping', 1);
    default:
      return undefined;
  }
}
