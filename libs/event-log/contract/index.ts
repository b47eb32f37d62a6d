import { describe } from 'vitest';
import { describeAppends } from './appends.ts';
import { describeConcurrency } from './concurrency.ts';
import { describeDuplicates } from './duplicates.ts';
import { describeInstances } from './instances.ts';
import { describeKills } from './kills.ts';
import { describeLimitsAndNames } from './limits-and-names.ts';
import { describeModel } from './model.ts';
import { describeReads } from './reads.ts';
import type { LogOpeners } from './site.ts';
import { describeSubscriptions } from './subscriptions.ts';

export { describeKills } from './kills.ts';
export { sampleEvent, sampleEvents, sampleId } from './sample-events.ts';
export type { Ability, LogOpeners, LogSite } from './site.ts';

/** The law of every event log. Each adapter's test calls it once with its own openers. */
export function describeEventLog(name: string, openers: LogOpeners): void {
  describe(`${name} keeps the contract of an event log`, () => {
    describeAppends(openers);
    describeDuplicates(openers);
    describeLimitsAndNames(openers);
    describeReads(openers);
    describeSubscriptions(openers);
    describeConcurrency(openers);
    describeInstances(openers);
    describeModel(openers);
    describeKills(openers);
  });
}
