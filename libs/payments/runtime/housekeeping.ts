import type { Clock } from '@annals/core';
import { type Checkpoint, sameCheckpoint } from '@annals/event-log';
import type { Finance } from '../finance/index.ts';
import type { IdempotencyStore } from '../idempotency/index.ts';
import type { PruneMarks } from './prune-marks.ts';
import type { ScheduledStep } from './schedule.ts';

/** What has waited for too long: requests for a second person expire, and answers of old requests are forgotten. */
export function housekeepingSteps({
  finance,
  keys,
  pruned,
  clock,
}: {
  readonly finance: Pick<Finance, 'expire'>;
  readonly keys: Pick<IdempotencyStore, 'prune'>;
  readonly pruned: PruneMarks;
  readonly clock: Pick<Clock, 'now'>;
}): readonly ScheduledStep[] {
  let walked: Checkpoint | undefined;
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
        const from = walked ?? (await pruned.last());
        const { checkpoint } = await keys.prune(from);
        if (!sameCheckpoint(checkpoint, from)) await pruned.put(checkpoint, clock.now());
        walked = checkpoint;
        return 'done';
      },
    },
  ];
}
