import type { Checkpoint } from '@annals/event-log';
import type { Finance } from '../finance/index.ts';
import type { IdempotencyStore } from '../idempotency/index.ts';
import type { ScheduledStep } from './schedule.ts';

/** What has waited for too long: requests for a second person expire, and answers of old requests are forgotten. */
export function housekeepingSteps({
  finance,
  keys,
}: {
  readonly finance: Pick<Finance, 'expire'>;
  readonly keys: Pick<IdempotencyStore, 'prune'>;
}): readonly ScheduledStep[] {
  let walked: Checkpoint = {};
  return [
    {
      ...{ name: 'expire-requests', everyMs: 5 * 60_000 },
      run: async () => {
        await finance.expire();
        return 'done';
      },
    },
    {
      ...{ name: 'prune-keys', everyMs: 60 * 60_000 },
      run: async () => {
        // After a restart it is walked from the beginning once: nothing is pruned twice.
        ({ checkpoint: walked } = await keys.prune(walked));
        return 'done';
      },
    },
  ];
}
