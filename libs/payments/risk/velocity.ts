import type { RiskAssessment, RiskRequest, RiskScreen, RiskVerdict } from './port.ts';

/** How much one buyer, or one card, may do in a time. */
export interface VelocityRule {
  readonly by: 'buyer' | 'card';
  readonly windowMs: number;
  /** Orders in the window, this one included. */
  readonly ordersMax?: number;
  /** Minor units in the window, this order included, of one currency. */
  readonly amountMax?: { readonly amount: bigint; readonly currency: string };
  readonly verdict: Exclude<RiskVerdict, 'accepted'>;
}

export const velocityLimits = {
  /** Orders remembered for one buyer or card: rules have to be below. */
  ordersMax: 1_000,
  /** Buyers and cards remembered; those that have been quiet for longest are forgotten first. */
  subjectsMax: 100_000,
} as const;

interface Seen {
  readonly order: string;
  readonly at: number;
  readonly amount: bigint;
  readonly currency: string;
}

/**
 * Counts what it is shown. An order is counted once, however often it is shown, so the events of orders can be
 * replayed into it. Rows are kept in memory for the longest window alone.
 */
export class VelocityScreen implements RiskScreen {
  readonly name = 'velocity';
  readonly #rules: readonly VelocityRule[];
  readonly #windowMs: number;
  readonly #seen = new Map<string, Seen[]>();

  /** Throws RangeError for a rule that could never speak. */
  constructor(rules: readonly VelocityRule[]) {
    const { ordersMax: remembered } = velocityLimits;
    if (rules.some(({ ordersMax = 0 }) => ordersMax >= remembered)) {
      throw new RangeError(
        `a rule allows ${remembered} orders or more, and no more are remembered`,
      );
    }
    this.#rules = rules;
    this.#windowMs = Math.max(0, ...rules.map(({ windowMs }) => windowMs));
  }

  asksForCards(): boolean {
    return this.#rules.some(({ by }) => by === 'card');
  }

  /** An order that was accepted for payment: from events, and from `assess` itself. */
  observe(request: RiskRequest): void {
    for (const by of ['buyer', 'card'] as const) {
      const subject = subjectOf(by, request);
      if (subject !== undefined) this.#count(subject, request);
    }
  }

  async assess(request: RiskRequest): Promise<RiskAssessment> {
    this.observe(request);
    const broken = this.#rules.filter((rule) => this.#breaks(rule, request));
    const rejected = broken.some(({ verdict }) => verdict === 'rejected');
    return {
      verdict: rejected ? 'rejected' : broken.length > 0 ? 'review' : 'accepted',
      rules: broken.map(({ by }) => `velocity:${by}`),
    };
  }

  #count(subject: string, { checkoutId, orderId, at, amount }: RiskRequest): void {
    const order = `${checkoutId} ${orderId}`;
    const seen = this.#seen.get(subject) ?? [];
    // Whoever is seen moves to the end: the first one is the one to forget.
    this.#seen.delete(subject);
    const kept = seen.filter((one) => one.at > at - this.#windowMs);
    if (!kept.some((one) => one.order === order)) kept.push({ order, at, ...amount });
    this.#seen.set(subject, kept.slice(-velocityLimits.ordersMax));
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > velocityLimits.subjectsMax && oldest !== undefined) {
      this.#seen.delete(oldest);
    }
  }

  #breaks({ by, windowMs, ordersMax, amountMax }: VelocityRule, request: RiskRequest): boolean {
    const subject = subjectOf(by, request);
    const seen = (subject === undefined ? undefined : this.#seen.get(subject)) ?? [];
    const inWindow = seen.filter(({ at }) => at > request.at - windowMs);
    if (ordersMax !== undefined && inWindow.length > ordersMax) return true;
    if (!amountMax) return false;
    const sum = inWindow
      .filter(({ currency }) => currency === amountMax.currency)
      .reduce((total, { amount }) => total + amount, 0n);
    return sum > amountMax.amount;
  }
}

function subjectOf(by: 'buyer' | 'card', request: RiskRequest): string | undefined {
  const value = by === 'buyer' ? request.buyer : request.fingerprint;
  return value === undefined ? undefined : `${by} ${value}`;
}
