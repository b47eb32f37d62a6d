import { describe } from 'vitest';
import { describeCommits } from './commits.ts';
import { describeGenerations } from './generations.ts';
import { describeGoingBack } from './going-back.ts';
import { describeHolds } from './holds.ts';
import { describeInstances } from './instances.ts';
import { describeKills } from './kills.ts';
import { describeLeases } from './leases.ts';
import { describeRanked } from './ranked.ts';
import { describeRows } from './rows.ts';
import type { StoreOpeners } from './site.ts';
import { describeSnapshots } from './snapshots.ts';
import { describeStaying } from './staying.ts';
import { describeWorkers } from './workers.ts';

export { describeKills } from './kills.ts';
export {
  describeRebuildEqualsLive,
  type History,
  type HistoryStep,
  type MakeHistory,
} from './rebuild-equals-live.ts';
export * from './samples.ts';
export {
  type Ability,
  type ProjectionSite,
  StandingClock,
  type StoreOpeners,
} from './site.ts';

/** The law of every projection store. Each store's test calls it once with its own openers. */
export function describeProjectionStore(name: string, openers: StoreOpeners): void {
  describe(`${name} keeps the contract of a projection store`, () => {
    describeGenerations(openers);
    describeRows(openers);
    describeCommits(openers);
    describeStaying(openers);
    describeWorkers(openers);
    describeGoingBack(openers);
    describeLeases(openers);
    describeHolds(openers);
    describeSnapshots(openers);
    describeRanked(openers);
    describeInstances(openers);
    describeKills(openers);
  });
}
