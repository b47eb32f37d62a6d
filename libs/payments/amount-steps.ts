import type { StepOf } from './decide/captures.ts';
import { stepProblem } from './money.ts';
import type { PspRouting, Routable } from './psp/routing.ts';

/** Of what amounts must be multiples, in minor units. */
export type AmountSteps = Pick<PspRouting, 'amountStep' | 'orderStep'>;

/** Why the provider that an order would go to takes no such amount; undefined where it does. */
export function orderProblem(order: Routable, steps: AmountSteps | undefined): string | undefined {
  const { amount, currency } = order.amount;
  return stepProblem(amount, steps?.orderStep(order) ?? 1n, currency);
}

export function paymentStepOf(steps: AmountSteps | undefined): StepOf {
  return (psp, currency) => steps?.amountStep(psp, 'payment', currency) ?? 1n;
}

export function payoutStep(steps: AmountSteps | undefined, psp: string, currency: string): bigint {
  return steps?.amountStep(psp, 'payout', currency) ?? 1n;
}
