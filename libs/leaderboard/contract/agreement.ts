import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BoardPeriod, EntryPlace, LeaderboardReadModel } from '../read-model/port.ts';
import {
  bucketStream,
  histories,
  play,
  sampleBoards,
  samplePeriods,
  sampleUsers,
} from './histories.ts';
import { openUntilClosed, type ReadModelOpeners } from './site.ts';

/** Random histories: whatever is asked, the answer is that of the naive model. */
export function describeAgreement(openers: ReadModelOpeners): void {
  describe('agrees with an array that is sorted', () => {
    test('after any history of ties, voids, closes, duplicates and erasures', async () => {
      const questions = fc.record({
        limit: fc.integer({ min: 1, max: 15 }),
        offset: fc.integer({ min: 0, max: 15 }),
        around: fc.integer({ min: 0, max: 14 }),
        ties: fc.constantFrom('standard', 'dense'),
        friends: fc.array(fc.constantFrom(...sampleUsers, 'nobody'), { minLength: 1 }),
      });
      const numRuns = openers.propertyRuns ?? 40;
      await fc.assert(
        fc.asyncProperty(histories, questions, async (history, asked) => {
          const { feeder, readModel, close } = await openUntilClosed(openers);
          try {
            const places = await play(feeder, history);
            await compareEntries(readModel, feeder.naive, places);
            for (const { board, order } of sampleBoards) {
              for (const period of samplePeriods) {
                await compare(readModel, feeder.naive, { board, period, order }, asked);
              }
            }
          } finally {
            await close();
          }
        }),
        { numRuns },
      );
    }, 120_000);
  });
}

interface Asked {
  readonly limit: number;
  readonly offset: number;
  readonly around: number;
  readonly ties: 'standard' | 'dense';
  readonly friends: readonly string[];
}

async function compareEntries(
  readModel: LeaderboardReadModel,
  naive: LeaderboardReadModel,
  places: readonly EntryPlace[],
): Promise<void> {
  const all = [...places, { stream: 'scores-nowhere~0', revision: 0 }];
  expect(await readModel.entries(all)).toEqual(await naive.entries(all));
}

async function compare(
  readModel: LeaderboardReadModel,
  naive: LeaderboardReadModel,
  on: BoardPeriod,
  { limit, offset, around, ties, friends }: Asked,
): Promise<void> {
  const { order: _, ...place } = on;
  for (const page of [
    { limit, offset },
    { limit: 100, offset: 0 },
  ]) {
    const query = { ...on, ...page, ties };
    expect(await readModel.top(query), 'top').toEqual(await naive.top(query));
  }
  for (const userId of [...sampleUsers, 'nobody']) {
    expect(await readModel.player(userId), 'player').toEqual(await naive.player(userId));
    const query = { ...on, userId, around, ties };
    expect(await readModel.standing(query), 'standing').toEqual(await naive.standing(query));
  }
  for (const userId of sampleUsers) {
    const player = { ...place, userId, stream: bucketStream(on.board, userId) };
    for (let from: number | undefined, page = 0; page === 0 || from !== undefined; page += 1) {
      const answer = await readModel.history({ ...player, from, limit });
      expect(answer, 'history').toEqual(await naive.history({ ...player, from, limit }));
      from = answer.kind === 'answer' ? answer.next : undefined;
    }
  }
  const ranks = { ...on, userIds: friends, ties };
  expect(await readModel.ranks(ranks), 'ranks').toEqual(await naive.ranks(ranks));
}
