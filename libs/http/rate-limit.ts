import type { Clock } from '@annals/core';
import { httpErrors } from './errors.ts';
import { limits } from './limits.ts';
import type { Problem } from './problem.ts';

export interface RateLimits {
  /** Requests of one API key in a window. Default: `limits.requestsPerKeyMax`. */
  readonly requestsPerKeyMax?: number;
  /** Requests without a good key, of one address, in a window. Default: `limits.requestsPerAddressMax`. */
  readonly requestsPerAddressMax?: number;
  /** Default: `limits.rateWindowMs`. */
  readonly windowMs?: number;
}

/**
 * Counts requests in fixed windows, in this process only: a bound on what one client can do to one
 * server, not a quota. All windows turn together, so a turn forgets everything at once, and memory is
 * bounded by `limits.rateSubjectsMax`. (A window's edge lets through up to twice the limit.)
 */
export class RateLimiter {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #windowMs: number;
  #counts = new Map<string, number>();
  #windowEndsAt = 0;

  constructor(clock: Pick<Clock, 'now'>, windowMs: number = limits.rateWindowMs) {
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** Counts one request of `subject`; the 429 to answer when it is one too many. */
  take(subject: string, requestsMax: number): Problem | undefined {
    const now = this.#clock.now();
    // The second comparison is for a clock that was set back: no window may outlast its length.
    if (now >= this.#windowEndsAt || now < this.#windowEndsAt - this.#windowMs) {
      this.#counts = new Map();
      this.#windowEndsAt = now + this.#windowMs;
    }
    const counted = this.#subjectToCount(subject);
    const count = (this.#counts.get(counted) ?? 0) + 1;
    this.#counts.set(counted, count);
    return count > requestsMax ? this.#refusal(now) : undefined;
  }

  #subjectToCount(subject: string): string {
    const counts = this.#counts;
    return counts.size < limits.rateSubjectsMax || counts.has(subject) ? subject : '';
  }

  #refusal(now: number): Problem {
    const seconds = Math.max(1, Math.ceil((this.#windowEndsAt - now) / 1_000));
    return httpErrors.problem(
      'rate-limited',
      { retry_after_seconds: seconds },
      { headers: { 'retry-after': String(seconds) } },
    );
  }
}

/** What an address is counted by: an IPv6 client has a whole /64 to itself (RFC 6177). */
export function addressSubject(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
