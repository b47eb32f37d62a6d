import { paymentsHistory, webhooksHistory } from '@annals/payments/contract';
import { describeRebuildEqualsLive, type MakeHistory } from '@annals/projection/contract';
import { expect, it } from 'vitest';
import { projections } from './registry.ts';
import { leaderboardHistory } from './testing/leaderboard-history.ts';

/** A random history for each projection: whoever registers one adds the history that proves it. */
const histories: { readonly [projection: string]: MakeHistory } = {
  leaderboard: leaderboardHistory,
  'leaderboard-archive': leaderboardHistory,
  ledger: paymentsHistory,
  payments: paymentsHistory,
  reconciliation: paymentsHistory,
  wallets: paymentsHistory,
  webhooks: webhooksHistory,
};

it('every registered projection has a history, and a name of its own', () => {
  const names = projections.map(({ name }) => name);
  expect(Object.keys(histories).toSorted()).toEqual(names.toSorted());
  expect(new Set(names).size).toBe(names.length);
});

for (const projection of projections) {
  const history = histories[projection.name];
  if (history) describeRebuildEqualsLive(projection, history);
}
