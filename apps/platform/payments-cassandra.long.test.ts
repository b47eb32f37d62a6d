import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { cassandraPlace } from './testing/cassandra-place.ts';
import { type Market, marketSecrets, openMarket } from './testing/killed-market.ts';
import { readLedger, readWallets } from './testing/market-books.ts';
import { MarketCaller } from './testing/market-caller.ts';
import { runCommand } from './testing/platform-process.ts';
import { PspDesk } from './testing/psp-books.ts';
import { payOut, sellerTerms, shop } from './testing/shopper.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';

// Processes start slowly on a busy machine.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 120_000 });

const settleMsMax = 600_000;

await describeOn('cassandra', 'Payments with their books in Cassandra', (engine) => {
  test('are taken, refunded and paid out by processes of their own, and a rebuild gives the same books', async () => {
    const place = cassandraPlace(engine.url);
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const market = await openMarket(folder.path, { ANNALS_PAYMENTS_STORE: place });
    onTestFinished(() => market.stop());
    await market.start();
    const deadline = Date.now() + settleMsMax;
    const caller = new MarketCaller(market.apiUrl, () => deadline);

    await trade(caller, market);
    const before = await shown(caller);
    expect(before).toMatchObject({
      trial: { 'USD posted': 0n, 'USD pending': 0n },
      // Of 100.00 the platform keeps 5 in 100, 50.00 are given back, and of the rest 5 in 100 are held in reserve.
      ledger: { 'platform_fees USD': 500n, 'bank USD': 4_275n, 'refunds USD': 0n },
      wallets: { 'seller_available:shop-1 USD': 0n, 'seller_reserve:shop-1 USD': 225n },
      order: { state: 'succeeded', captured: '10000', refundable: '5000' },
    });

    for (const projection of ['ledger', 'wallets', 'payments']) {
      for (const operation of ['rebuild', 'verify', 'promote']) {
        const { code, err } = await runCommand([operation, projection], market.env);
        const failed = code === 0 ? '' : err;
        expect({ projection, operation, code, failed }).toEqual({
          ...{ projection, operation, code: 0, failed: '' },
        });
      }
      expect(await shown(caller)).toEqual(before);
    }
    // None of it is in this folder: it was Cassandra that answered.
    const files = readdirSync(join(market.dataFolder, 'projections'));
    expect(files).toContain('leaderboard');
    expect(files.filter((name) => ['ledger', 'wallets', 'payments'].includes(name))).toEqual([]);
  });
});

/** A payment with a refund, and then all that is available of it paid out. */
async function trade(caller: MarketCaller, market: Market): Promise<void> {
  const desk = new PspDesk(market.pspUrl, marketSecrets.psp);
  await desk.topUp(100_000, 'USD');
  expect((await caller.put('/v1/sellers/shop-1', sellerTerms))?.status).toBe(200);
  const order = { id: 'o-1', seller: 'shop-1', amount: 10_000, captures: 10_000 };
  await shop(caller, {
    ...{ checkout: 'c-1', card: 'pm_card_visa', capture: 'automatic', currency: 'USD' },
    ...{ provesIdentity: true, twice: false },
    orders: [{ ...order, refunds: [5_000], refundsFirst: true }],
  });
  // The wallet is a read model: nothing is paid out before it has seen the delivery.
  const available = async () => {
    const { wallets } = await caller.read('/v1/wallets/shop-1');
    return Number(wallets[0]?.available ?? 0);
  };
  await expect.poll(available, { timeout: 60_000 }).toBeGreaterThan(0);
  await payOut(caller, 'shop-1', 'USD', 1);
  const psp = await desk.books();
  expect(psp.intents.map((one) => [one.amount_received, one.status])).toEqual([
    [10_000, 'succeeded'],
  ]);
  expect(psp.refunds.map(({ amount }) => amount)).toEqual([5_000]);
  expect(psp.payouts).toHaveLength(1);
}

/** All that is answered from the read models. */
async function shown(caller: MarketCaller) {
  const { as_of: position } = await caller.read('/v1/payments/c-1');
  const { posted, trial } = await readLedger(caller, position);
  const { data: orders } = await caller.read('/v1/payment_orders?seller_account=shop-1');
  const { data: payouts } = await caller.read('/v1/payouts?seller_account=shop-1');
  const { data: entries } = await caller.read('/v1/ledger/entries?limit=100');
  return {
    ...{ ledger: Object.fromEntries(posted), trial: Object.fromEntries(trial) },
    wallets: Object.fromEntries(await readWallets(caller, 'shop-1', position)),
    ...{ order: orders[0], orders, payouts, entries },
  };
}
