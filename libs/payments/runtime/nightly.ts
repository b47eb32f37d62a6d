import type { Clock } from '@annals/core';
import { dayMs, dayOf } from '../utc-days.ts';
import type { DayMarks } from './day-marks.ts';
import type { ScheduledStep } from './schedule.ts';

export interface NightlyMeans {
  readonly marks: DayMarks;
  readonly clock: Pick<Clock, 'now'>;
  /** Reconciles a day that is over; `later` where its files are not there yet. The same day twice changes nothing. */
  readonly reconcileNight: (day: string, signal: AbortSignal) => Promise<'done' | 'later'>;
}

export const nightlyLimits = {
  everyMs: 10 * 60_000,
  /** Between two looks at a day whose file is not there, or cannot be used, for long. */
  laterMsMax: 60 * 60_000,
} as const;

/**
 * Reconciles each day when it is over (UTC), the oldest first. A provider's file is not there the moment that its day is
 * over: it is asked for after ten minutes, and then less and less often, but every hour at least.
 */
export function nightlyStep({ marks, clock, reconcileNight }: NightlyMeans): ScheduledStep {
  const { everyMs, laterMsMax } = nightlyLimits;
  let laterMs = everyMs / 2;
  return {
    name: 'reconcile',
    everyMs,
    get laterMs() {
      return Math.max(laterMs, everyMs);
    },
    run: async (signal) => {
      for (const day of await marks.due(dayOf(clock.now() - dayMs), clock.now())) {
        if ((await unlessAborted(reconcileNight(day, signal), signal)) === 'later') {
          laterMs = Math.min(laterMs * 2, laterMsMax);
          return 'later';
        }
        await marks.mark(day, clock.now());
        laterMs = everyMs / 2;
      }
      return 'done';
    },
  };
}

/** A file may take its time to come. Who stops does not wait for it: it is as if the process had ended in its midst. */
async function unlessAborted(
  night: Promise<'done' | 'later'>,
  signal: AbortSignal,
): Promise<'done' | 'later'> {
  const aborted = Promise.withResolvers<'later'>();
  const abort = () => aborted.resolve('later');
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  // Told of below, where it comes in time.
  night.catch(() => undefined);
  try {
    return await Promise.race([night, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
