import { onTestFinished } from 'vitest';
import { Market, type MarketStart } from './market.ts';
import { openInProcess } from './sites.ts';

/** A market whose provider has to answer quickly, and whose search lags a little; over with the test that opens it. */
export async function openImpatientMarket(start: MarketStart = {}) {
  const terms = { keyLifeMs: 82_800_000, callMsMax: 300, inFlightMsMax: 400 };
  const site = await openInProcess('stripe', { terms, searchLagMs: 100 });
  const market = new Market([site]);
  onTestFinished(async () => {
    await market.stop();
    await site.close();
  });
  market.start(start);
  return { market, site };
}
