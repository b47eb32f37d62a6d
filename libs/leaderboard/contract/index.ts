import { describe } from 'vitest';
import { describeAgreement } from './agreement.ts';
import { describeRanks } from './ranks.ts';
import type { ReadModelOpeners } from './site.ts';
import { describeStoreStates } from './store-states.ts';

export { HistoryFeeder, historySpec } from './feeder.ts';
export type { ReadModelOpeners, ReadModelSite } from './site.ts';

/** The law of every read model of the leaderboard. Each adapter's test calls it once with its own openers. */
export function describeLeaderboardReadModel(name: string, openers: ReadModelOpeners): void {
  describe(`${name} keeps the contract of a leaderboard read model`, () => {
    describeRanks(openers);
    describeStoreStates(openers);
    describeAgreement(openers);
  });
}
