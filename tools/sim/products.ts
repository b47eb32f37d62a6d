import { simulateKafka } from './kafka/simulate.ts';
import { simulateLeaderboard } from './leaderboard/simulate.ts';
import type { Outcome } from './outcome.ts';
import { simulatePayments } from './payments/simulate.ts';

/** What can be simulated, by its name on the command line: a function that plays one seed. */
export const products: { readonly [name: string]: (seed: number) => Promise<Outcome> } = {
  leaderboard: simulateLeaderboard,
  kafka: simulateKafka,
  payments: simulatePayments,
};
