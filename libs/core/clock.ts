import { setTimeout as delay } from 'node:timers/promises';

/** The only source of time in Annals. The simulation replaces it by a virtual one. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. May go backwards: nothing depends on it for order. */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    if (signal?.aborted) return;
    await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
  },
};
