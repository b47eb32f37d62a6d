import { describe } from 'vitest';
import { describeBuyers } from './buyers.ts';
import { describeCalls } from './calls.ts';
import { describeFaults } from './faults.ts';
import { describeLater } from './later.ts';
import { describePages } from './pages.ts';
import { type OpenSite, sites } from './site.ts';
import { describeHints, describeKills, describeWebhooks } from './webhooks.ts';

export { triedTokens } from './buyers.ts';
export {
  type OpenSite,
  type PspFault,
  type PspSite,
  sitePace,
  siteSearchLagMs,
  siteTerms,
} from './site.ts';

/** The law of every adapter of `Psp`, tried against a provider whose faults and time a test has in hand. */
export function describePsp(name: string, open: OpenSite): void {
  describe(`${name}: the port to providers`, () => {
    const openFresh = sites(open);
    describeCalls(openFresh);
    describeBuyers(openFresh);
    describePages(openFresh);
    describeFaults(openFresh);
    describeLater(openFresh);
    describeWebhooks(openFresh);
    describeHints(openFresh);
  });
}

/** Where the provider is a process that a test may kill. */
export function describePspKills(name: string, open: OpenSite): void {
  describe(`${name}: the provider is killed`, () => describeKills(sites(open)));
}
export { hintsOf } from './later.ts';
