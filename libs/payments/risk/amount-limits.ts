import type { RiskAssessment, RiskScreen } from './port.ts';

/** From which amount on a person has to look, and from which on an order is rejected; minor units. */
export interface AmountLimit {
  readonly currency: string;
  readonly reviewFrom?: bigint;
  readonly rejectFrom?: bigint;
}

/** A currency without a limit goes under review: nobody has said what is much in it. */
export function amountScreen(limits: readonly AmountLimit[]): RiskScreen {
  const byCurrency = new Map(limits.map((limit) => [limit.currency, limit]));
  return {
    name: 'amount',
    assess: async ({ amount: { amount, currency } }): Promise<RiskAssessment> => {
      const limit = byCurrency.get(currency);
      if (!limit) return { verdict: 'review', rules: ['amount:no-limit'] };
      const { reviewFrom, rejectFrom } = limit;
      if (rejectFrom !== undefined && amount >= rejectFrom) {
        return { verdict: 'rejected', rules: ['amount:reject'] };
      }
      if (reviewFrom !== undefined && amount >= reviewFrom) {
        return { verdict: 'review', rules: ['amount:review'] };
      }
      return { verdict: 'accepted', rules: [] };
    },
  };
}
