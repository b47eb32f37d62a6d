import type { PspMoney } from '../psp/port.ts';

/**
 * What is asked before money moves. A screen gives a verdict and the names of the rules that spoke; the verdict is
 * written into the order's stream, and an order under review waits for a person.
 */

export interface RiskRequest {
  readonly checkoutId: string;
  readonly orderId: string;
  readonly seller: string;
  readonly amount: PspMoney;
  /** What tells one buyer from another: an account, or a hash of an address. */
  readonly buyer: string;
  /** The card's, as the provider gives it; its token where the provider was not asked, or has not said it. */
  readonly fingerprint?: string;
  /** For the screening against sanctions lists. */
  readonly buyerName?: string;
  /** ISO 3166-1, two letters. */
  readonly country?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export type RiskVerdict = 'accepted' | 'review' | 'rejected';

export interface RiskAssessment {
  readonly verdict: RiskVerdict;
  /** Stable names, as in `velocity:card`; never personal data. */
  readonly rules: readonly string[];
}

export interface RiskScreen {
  readonly name: string;
  /** Whether a rule looks at cards at present: then their fingerprints are asked for first. None does unless told. */
  asksForCards?(): boolean;
  assess(request: RiskRequest): Promise<RiskAssessment>;
}

const severity: readonly RiskVerdict[] = ['accepted', 'review', 'rejected'];

/** The strictest verdict, with every rule that spoke. */
export function strictest(assessments: readonly RiskAssessment[]): RiskAssessment {
  const worst = Math.max(0, ...assessments.map(({ verdict }) => severity.indexOf(verdict)));
  return {
    verdict: severity[worst] ?? 'rejected',
    rules: [...new Set(assessments.flatMap(({ rules }) => rules))],
  };
}

/** All screens are asked, each for itself. One that throws puts the order under review: nobody has looked. */
export function allScreens(screens: readonly RiskScreen[]): RiskScreen {
  return {
    name: screens.map(({ name }) => name).join('+'),
    asksForCards: () => screens.some((screen) => screen.asksForCards?.() ?? false),
    assess: async (request) => {
      const asked = screens.map(async ({ name, assess }, index): Promise<RiskAssessment> => {
        try {
          return await assess.call(screens[index], request);
        } catch {
          return { verdict: 'review', rules: [`${name}:fault`] };
        }
      });
      return strictest(await Promise.all(asked));
    },
  };
}
