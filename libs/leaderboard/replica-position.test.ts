import { expect, test } from 'vitest';
import { scoreInputSchema } from './input.ts';
import { Leaderboard } from './service.ts';
import { twinLeaderboard } from './testing/twin-leaderboard.ts';

const score = scoreInputSchema.parse({ user_id: 'ann', points: 3, match_id: 'm1' });

/** A second process that reads a replica, which knows nothing of the log for its first `looks` looks at the head. */
async function behindBy(looks: number) {
  const twin = await twinLeaderboard();
  const recorded = await twin.leaderboard.recordScore(score);
  const minPosition = (recorded as { position: string }).position;
  let left = looks;
  const { log, readModel } = twin;
  const other = new Leaderboard({
    ...twin,
    log: {
      append: (...given) => log.append(...given),
      readStream: (...given) => log.readStream(...given),
      read: (...given) => log.read(...given),
      subscribe: (...given) => log.subscribe(...given),
      count: (...given) => log.count(...given),
      close: () => log.close(),
      head: async () => {
        left -= 1;
        return left >= 0 ? {} : log.head();
      },
    },
    readModel: {
      ...readModel,
      // Late until the head was found where the position is.
      waitFor: async (checkpoint) => (left >= 0 ? 'late' : readModel.waitFor(checkpoint)),
    },
    replicaMsMax: 100,
  });
  return () => other.top({ limit: 10, offset: 0, minPosition });
}

test('a position that the replica has not heard of yet is waited for', async () => {
  const read = await behindBy(3);
  expect(await read()).toMatchObject({ kind: 'answer', rows: [{ userId: 'ann', score: 3 }] });
});

test('one that does not come in time is refused', async () => {
  const read = await behindBy(1_000);
  expect(await read()).toMatchObject({ kind: 'refused', reason: 'position-ahead' });
});
