import type { Clock } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { ReadinessCheck } from '@annals/http';

/** Clocks that are kept in step differ by less. */
const aheadMsMax = 60_000;
/** The last events of a log, and so of its partitions that are busy. */
const lookedAtMax = 20;

/**
 * Whether the log was written by a clock that is ahead of this one. Stamps never go back, so a clock that was wrong
 * for a moment stamps all that comes after it, whoever writes it.
 */
export function readinessOfClock(
  logs: readonly Pick<EventLog, 'read'>[],
  clock: Pick<Clock, 'now'>,
): ReadinessCheck {
  return {
    name: 'clock',
    check: async () => {
      const aheadMs = Math.max(...(await Promise.all(logs.map((log) => aheadOf(log, clock)))));
      if (aheadMs <= aheadMsMax) return { kind: 'ready' };
      const seconds = Math.round(aheadMs / 1_000).toLocaleString('en-US');
      const detail =
        `the last events of the log were recorded ${seconds} s ahead of this clock: one of the clocks that write it is wrong. ` +
        'See docs/disaster-recovery.md, "A clock that was wrong"';
      return { kind: 'degraded', detail };
    },
  };
}

async function aheadOf(log: Pick<EventLog, 'read'>, clock: Pick<Clock, 'now'>): Promise<number> {
  try {
    const last = { direction: 'backward', limit: lookedAtMax } as const;
    const { events } = await log.read('end', {}, last);
    return Math.max(0, ...events.map(({ recordedAt }) => recordedAt)) - clock.now();
  } catch {
    // A log that cannot be read has a check of its own.
    return 0;
  }
}
