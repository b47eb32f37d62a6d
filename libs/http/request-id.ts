import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { limits } from './limits.ts';

const sanePattern = /^[A-Za-z0-9._:/+=@-]+$/;

/**
 * Makes request ids: the client's `X-Request-Id` where it is short and plain, else a new one, unique
 * to this process by a random prefix and then counted.
 */
export function requestIds(): (request: Pick<IncomingMessage, 'headers'>) => string {
  const prefix = randomBytes(6).toString('base64url');
  let count = 0;
  return (request) => {
    const given = request.headers['x-request-id'];
    if (typeof given === 'string' && isSane(given)) return given;
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}

function isSane(id: string): boolean {
  return id.length <= limits.requestIdCharsMax && sanePattern.test(id);
}
