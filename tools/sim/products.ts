import type { Outcome } from './outcome.ts';

/** A function that plays one seed. */
export type Simulate = (seed: number) => Promise<Outcome>;

/** What can be simulated, by its name on the command line. Only what is played is loaded. */
export const products: { readonly [name: string]: () => Promise<Simulate> } = {
  leaderboard: async () => (await import('./leaderboard/simulate.ts')).simulateLeaderboard,
  kafka: async () => (await import('./kafka/simulate.ts')).simulateKafka,
  payments: async () => (await import('./payments/simulate.ts')).simulatePayments,
};
