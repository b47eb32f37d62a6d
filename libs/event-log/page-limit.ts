import { limits } from './limits.ts';

/**
 * The events a page may hold: `limit`, or the default when it is undefined.
 * Throws a RangeError for anything but 1 to `limits.pageEventsMax`: a bug of the caller.
 */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return limits.pageEventsDefault;
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= limits.pageEventsMax) return limit;
  throw new RangeError(`a page holds 1 to ${limits.pageEventsMax} events, not ${limit}`);
}
