import { type BreakerOptions, CircuitBreaker, type CircuitState } from './circuit-breaker.ts';
import type { AmountUse, Psp, PspAnswer, PspMoney, PspRefused } from './port.ts';

/**
 * Which provider takes a payment. The choice is made once for each attempt, and is written into the event of its
 * intent before anything is sent: a resend goes where the first call went, whatever has changed since. That is why
 * a router is no `Psp` itself: one that chose at every call could send the same key to two providers.
 */

/** A provider takes what meets every condition that its rule has. Rules are in the order of preference. */
export interface RoutingRule {
  readonly psp: string;
  readonly currencies?: readonly string[];
  /** Minor units, inclusive. */
  readonly amountMin?: bigint;
  readonly amountMax?: bigint;
  readonly sellers?: readonly string[];
}

export interface Routable {
  readonly amount: PspMoney;
  readonly seller?: string;
}

export type Choice =
  | { readonly kind: 'chosen'; readonly psp: Psp }
  /** No rule fits, or everyone that fits was tried: it fails. */
  | { readonly kind: 'no_route'; readonly detail: string }
  /** Those that fit do not answer at present: it is chosen again later. */
  | { readonly kind: 'unavailable'; readonly detail: string };

export interface RoutingOptions {
  readonly psps: readonly Psp[];
  readonly rules: readonly RoutingRule[];
  readonly breaker: BreakerOptions;
}

export class PspRouting {
  readonly #psps: ReadonlyMap<string, Guarded>;
  readonly #rules: readonly RoutingRule[];

  /** Throws TypeError for a rule that names a provider that is not there, and for a name that comes twice. */
  constructor({ psps, rules, breaker }: RoutingOptions) {
    const guarded = psps.map((psp) => [psp.name, guard(psp, new CircuitBreaker(breaker))] as const);
    this.#psps = new Map(guarded);
    if (this.#psps.size !== psps.length) throw new TypeError('two providers have one name');
    const unknown = rules.find((rule) => !this.#psps.has(rule.psp));
    if (unknown) throw new TypeError(`a rule names ${unknown.psp}, which is no provider here`);
    this.#rules = rules;
  }

  /** The first provider that fits and answers; `tried` are those that surely did not charge. */
  choose(payment: Routable, tried: readonly string[] = []): Choice {
    const fitting = this.#rules.filter((rule) => fits(rule, payment)).map(({ psp }) => psp);
    const left = new Set(fitting.filter((name) => !tried.includes(name)));
    const { currency, amount } = payment.amount;
    return this.#firstWell(left, `${amount} ${currency}`);
  }

  /** The first provider that fits, whether it answers at present or not; undefined where none fits. */
  preferred(payment: Routable): string | undefined {
    return this.#rules.find((rule) => fits(rule, payment))?.psp;
  }

  #firstWell(names: ReadonlySet<string>, what: string): Choice {
    if (names.size === 0) return { kind: 'no_route', detail: `nobody (else) takes ${what}` };
    for (const name of names) {
      const guarded = this.#psps.get(name);
      if (guarded && guarded.breaker.state !== 'open') return { kind: 'chosen', psp: guarded.psp };
    }
    return { kind: 'unavailable', detail: `${[...names].join(', ')} do not answer at present` };
  }

  /** Who pays a seller out: as `choose`, but amounts say nothing, since a payout is of many payments. */
  chooseForPayout(currency: string, seller: string): Choice {
    return this.#firstWell(this.#payingOut(currency, seller), `payouts in ${currency}`);
  }

  /**
   * The name of the provider that `chooseForPayout` chooses, or where none of them answers at present of the first one: its
   * executor asks it again and again. Undefined where none fits.
   */
  preferredForPayout(currency: string, seller: string): string | undefined {
    const choice = this.chooseForPayout(currency, seller);
    if (choice.kind === 'chosen') return choice.psp.name;
    const [first] = this.#payingOut(currency, seller);
    return first;
  }

  #payingOut(currency: string, seller: string): ReadonlySet<string> {
    const rules = this.#rules.filter(({ currencies, sellers }) => {
      return (currencies?.includes(currency) ?? true) && (sellers?.includes(seller) ?? true);
    });
    return new Set(rules.map(({ psp }) => psp));
  }

  /** The provider that an attempt was sent to: for every later call of it. */
  psp(name: string): Psp | undefined {
    return this.#psps.get(name)?.psp;
  }

  /** Of what an amount must be a multiple at this provider; 1 where there is no such provider. */
  amountStep(psp: string, use: AmountUse, currency: string): bigint {
    return this.#psps.get(psp)?.psp.amountStep(use, currency) ?? 1n;
  }

  /** The same of an order that has no provider yet: that of the one which is asked first. */
  orderStep(payment: Routable): bigint {
    const psp = this.preferred(payment);
    return psp === undefined ? 1n : this.amountStep(psp, 'payment', payment.amount.currency);
  }

  /** The names of all providers. */
  get names(): readonly string[] {
    return [...this.#psps.keys()];
  }

  /** How each provider is, for metrics. */
  states(): ReadonlyMap<string, CircuitState> {
    return new Map([...this.#psps].map(([name, { breaker }]) => [name, breaker.state]));
  }
}

function fits(rule: RoutingRule, { amount, seller }: Routable): boolean {
  const { currencies, amountMin, amountMax, sellers } = rule;
  return (
    (currencies?.includes(amount.currency) ?? true) &&
    (amountMin === undefined || amount.amount >= amountMin) &&
    (amountMax === undefined || amount.amount <= amountMax) &&
    (sellers === undefined || (seller !== undefined && sellers.includes(seller)))
  );
}

/**
 * Whether another provider may be asked after this answer of the first one: only where the first surely did not
 * charge, and the buyer's card was not the reason. What is unknown has to be looked up first.
 */
export function mayFailOver(answer: PspAnswer<unknown>): boolean {
  if (answer.kind === 'declined') return answer.reason === 'processing_error';
  return answer.kind === 'refused' && failingOver.has(answer.reason);
}

const failingOver: ReadonlySet<PspRefused['reason']> = new Set([
  'rate_limited',
  'unreachable',
  'unavailable',
  'not_permitted',
]);

interface Guarded {
  readonly psp: Psp;
  readonly breaker: CircuitBreaker;
}

const unavailable: PspRefused = {
  kind: 'refused',
  reason: 'unavailable',
  detail: 'the provider does not answer at present: nothing was sent',
};

/** The provider behind its breaker: while that is open, calls are refused and nothing is sent. */
export function guard(psp: Psp, breaker: CircuitBreaker): Guarded {
  type Observed = Parameters<CircuitBreaker['observe']>[0];
  const through = async <Answer extends Observed>(call: () => Promise<Answer>) => {
    if (!breaker.admit()) return unavailable;
    try {
      const answer = await call();
      breaker.observe(answer);
      return answer;
    } catch (error) {
      breaker.forget();
      throw error;
    }
  };
  const guarded: Psp = {
    name: psp.name,
    terms: psp.terms,
    amountStep: (use, currency) => psp.amountStep(use, currency),
    authenticate: (request) => through(() => psp.authenticate(request)),
    openPage: (request) => through(() => psp.openPage(request)),
    closePage: (request) => through(() => psp.closePage(request)),
    createPayment: (request) => through(() => psp.createPayment(request)),
    confirmPayment: (request) => through(() => psp.confirmPayment(request)),
    capturePayment: (request) => through(() => psp.capturePayment(request)),
    voidPayment: (request) => through(() => psp.voidPayment(request)),
    createRefund: (request) => through(() => psp.createRefund(request)),
    createPayout: (request) => through(() => psp.createPayout(request)),
    submitEvidence: (request) => through(() => psp.submitEvidence(request)),
    retrieve: (kind, id) => through(() => psp.retrieve(kind, id)),
    method: (token) => through(() => psp.method(token)),
    find: (kind, query) => through(() => psp.find(kind, query)),
    hints: (query) => through(() => psp.hints(query)),
    parseWebhook: (delivery) => psp.parseWebhook(delivery),
    settlementFile: (date) => through(() => psp.settlementFile(date)),
  };
  return { psp: guarded, breaker };
}
