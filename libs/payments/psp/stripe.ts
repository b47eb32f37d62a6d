import type { Clock } from '@annals/core';
import type Stripe from 'stripe';
import type {
  Authenticate,
  CapturePayment,
  ClosePage,
  ConfirmPayment,
  CreatePayment,
  CreatePayout,
  CreateRefund,
  FindQuery,
  HintsPage,
  HintsQuery,
  OpenPage,
  ParsedWebhook,
  Psp,
  PspAnswer,
  PspAnswered,
  PspAuthentication,
  PspFound,
  PspMethod,
  PspObjectKind,
  PspObjects,
  PspPage,
  PspPayment,
  PspPayout,
  PspReferencedKind,
  PspRefund,
  PspRefused,
  PspTerms,
  PspUnknown,
  SettlementFile,
  SubmitEvidence,
  VoidPayment,
  WebhookDelivery,
} from './port.ts';
import { stripeClient } from './stripe-client.ts';
import { failureOf, type StripeFailure } from './stripe-errors.ts';
import { findStripe, type StripeFinder } from './stripe-find.ts';
import { stripeAmountStep, toStripeAmount } from './stripe-money.ts';
import {
  authenticationOf,
  authenticationParts,
  disputeOf,
  methodOf,
  pageExpand,
  pageOf,
  paymentExpand,
  paymentOf,
  payoutOf,
  referenceMember,
  refundOf,
  stripeEvidence,
} from './stripe-objects.ts';
import { fileOfRun, isDay, settlementRun } from './stripe-settlement.ts';
import { parseStripeWebhook, stripeHints, webhookLimits } from './stripe-webhook.ts';

export const stripeTerms = {
  /** Keys are pruned when they are 24 hours old or more; an hour is left for clocks and queues. */
  keyLifeMs: 23 * 60 * 60 * 1_000,
  callMsMax: 20_000,
  /** No figure is given for this one; Stripe's own client waits 80 seconds by default. */
  inFlightMsMax: 120_000,
} as const;

/** "Less than a minute" usually, "up to an hour behind during outages" (https://docs.stripe.com/search). */
export const stripeSearchLagMs = 60 * 60 * 1_000;

export interface StripeOptions {
  /** What objects and events of this instance are told apart by. */
  readonly name: string;
  readonly url: string;
  readonly key: string;
  readonly webhookSecrets: readonly string[];
  /** Where browsers come back to when a call names no place. */
  readonly returnUrl: string;
  readonly clock: Clock;
  readonly terms?: PspTerms;
  readonly searchLagMs?: number;
  /** For the sandbox in the same process: calls without a network. */
  readonly fetch?: typeof fetch;
}

/** Stripe, or whoever speaks its API, behind the port. */
export function stripePsp(options: StripeOptions): Psp {
  return new StripePsp(options);
}

class StripePsp implements Psp {
  readonly name: string;
  readonly terms: PspTerms;
  readonly #stripe: Stripe;
  readonly #options: StripeOptions;
  readonly #finder: StripeFinder;

  constructor(options: StripeOptions) {
    const { name, url, key, fetch, webhookSecrets, terms = stripeTerms } = options;
    if (webhookSecrets.length > webhookLimits.secretsMax) {
      throw new RangeError(`more than ${webhookLimits.secretsMax} webhook secrets`);
    }
    const { callMsMax } = terms;
    this.name = name;
    this.terms = terms;
    this.#options = options;
    this.#stripe = stripeClient({ url, key, callMsMax, ...(fetch ? { fetch } : {}) });
    const { searchLagMs = stripeSearchLagMs } = options;
    this.#finder = { psp: name, stripe: this.#stripe, terms, searchLagMs };
  }

  amountStep(...[use, currency]: Parameters<Psp['amountStep']>): bigint {
    return stripeAmountStep(use, currency);
  }

  async authenticate(request: Authenticate): Promise<PspAnswer<PspAuthentication>> {
    const { key, reference, method, returnUrl = this.#options.returnUrl } = request;
    const made = await this.#call(request.signal, async () => {
      const metadata = { [referenceMember]: reference };
      return this.#stripe.setupIntents.create(
        {
          customer: await this.#customer(key, metadata),
          payment_method: method,
          allowed_payment_method_types: ['card'],
          usage: 'off_session',
          confirm: true,
          return_url: returnUrl,
          metadata,
        },
        { idempotencyKey: key },
      );
    });
    return this.#answerOf(made, (intent) => authenticationOf(this.name, intent));
  }

  async openPage(request: OpenPage): Promise<PspAnswer<PspPage>> {
    const { key, reference, currency, returnUrl, expiresAt } = request;
    const made = await this.#call(request.signal, async () => {
      const metadata = { [referenceMember]: reference };
      return this.#stripe.checkout.sessions.create(
        {
          mode: 'setup',
          currency: currency.toLowerCase(),
          customer: await this.#customer(key, metadata),
          allowed_payment_method_types: ['card'],
          success_url: returnUrl,
          cancel_url: returnUrl,
          expires_at: Math.floor(expiresAt / 1_000),
          metadata,
          expand: pageExpand,
        },
        { idempotencyKey: key },
      );
    });
    return this.#answerOf(made, (session) => pageOf(this.name, session));
  }

  async closePage({ key, pageId, signal }: ClosePage): Promise<PspAnswer<PspPage>> {
    const made = await this.#call(signal, () =>
      this.#stripe.checkout.sessions.expire(
        pageId,
        { expand: pageExpand },
        { idempotencyKey: key },
      ),
    );
    // Stripe has no code for a session that is not open. Nothing else can be wrong with a request that has only an id.
    if (made.kind === 'refused' && made.reason === 'invalid_request') {
      return { ...made, reason: 'wrong_state' };
    }
    return this.#answerOf(made, (session) => pageOf(this.name, session));
  }

  /** Whom methods are kept for: one for each checkout, without anything about the buyer. */
  async #customer(key: string, metadata: Stripe.MetadataParam): Promise<string> {
    const idempotencyKey = `${key}.customer`;
    return (await this.#stripe.customers.create({ metadata }, { idempotencyKey })).id;
  }

  async createPayment(request: CreatePayment): Promise<PspAnswer<PspPayment>> {
    const { key, reference, method, capture, authentication, seller } = request;
    const amount = toStripeAmount(request.amount);
    if (amount.kind === 'refused') return invalid(amount.detail);
    const proven = authentication ? authenticationParts(authentication) : undefined;
    const made = await this.#call(request.signal, () =>
      this.#stripe.paymentIntents.create(
        {
          ...amount.value,
          payment_method: proven?.method ?? method,
          allowed_payment_method_types: ['card'],
          capture_method: capture,
          ...(proven ? { customer: proven.customer } : {}),
          metadata: { [referenceMember]: reference, ...(seller ? { annals_seller: seller } : {}) },
          expand: paymentExpand,
        },
        { idempotencyKey: key },
      ),
    );
    return this.#paymentAnswer(made);
  }

  async confirmPayment(request: ConfirmPayment): Promise<PspAnswer<PspPayment>> {
    const { key, paymentId, authentication, returnUrl = this.#options.returnUrl } = request;
    const made = await this.#call(request.signal, () =>
      this.#stripe.paymentIntents.confirm(
        paymentId,
        {
          ...(authentication ? { off_session: true } : { return_url: returnUrl }),
          expand: paymentExpand,
        },
        { idempotencyKey: key },
      ),
    );
    return this.#paymentAnswer(made);
  }

  async capturePayment(request: CapturePayment): Promise<PspAnswer<PspPayment>> {
    const amount = toStripeAmount(request.amount);
    if (amount.kind === 'refused') return invalid(amount.detail);
    const made = await this.#call(request.signal, () =>
      this.#stripe.paymentIntents.capture(
        request.paymentId,
        { amount_to_capture: amount.value.amount, expand: paymentExpand },
        { idempotencyKey: request.key },
      ),
    );
    return this.#paymentAnswer(made);
  }

  async voidPayment(request: VoidPayment): Promise<PspAnswer<PspPayment>> {
    const made = await this.#call(request.signal, () =>
      this.#stripe.paymentIntents.cancel(
        request.paymentId,
        { expand: paymentExpand },
        { idempotencyKey: request.key },
      ),
    );
    return this.#paymentAnswer(made);
  }

  async createRefund(request: CreateRefund): Promise<PspAnswer<PspRefund>> {
    const amount = toStripeAmount(request.amount);
    if (amount.kind === 'refused') return invalid(amount.detail);
    const made = await this.#call(request.signal, () =>
      this.#stripe.refunds.create(
        {
          payment_intent: request.paymentId,
          amount: amount.value.amount,
          metadata: { [referenceMember]: request.reference },
        },
        { idempotencyKey: request.key },
      ),
    );
    return this.#answerOf(made, (refund) => refundOf(this.name, refund));
  }

  async createPayout(request: CreatePayout): Promise<PspAnswer<PspPayout>> {
    const amount = toStripeAmount(request.amount, 'payout');
    if (amount.kind === 'refused') return invalid(amount.detail);
    const made = await this.#call(request.signal, () =>
      this.#stripe.payouts.create(
        {
          ...amount.value,
          destination: request.destination,
          metadata: { [referenceMember]: request.reference },
        },
        { idempotencyKey: request.key },
      ),
    );
    return this.#answerOf(made, (payout) => payoutOf(this.name, payout));
  }

  /** Files are uploaded first, each with a key of its own made of ours: sent again they are the same files. */
  async submitEvidence({ key, disputeId, evidence, files = [], signal }: SubmitEvidence) {
    const made = await this.#call(signal, async () => {
      const uploaded: Record<string, string> = {};
      for (const { field, type, bytes } of files) {
        const file = { data: bytes, name: `${field}.${type.split('/')[1]}`, type };
        const { id } = await this.#stripe.files.create(
          { purpose: 'dispute_evidence', file },
          { idempotencyKey: `${key}.${field}` },
        );
        uploaded[field] = id;
      }
      return this.#stripe.disputes.update(
        disputeId,
        { evidence: { ...stripeEvidence(evidence), ...uploaded }, submit: true },
        { idempotencyKey: key },
      );
    });
    return this.#answerOf(made, (dispute) => disputeOf(this.name, dispute));
  }

  async retrieve<Kind extends PspObjectKind>(
    kind: Kind,
    id: string,
  ): Promise<PspAnswered<PspObjects[Kind]> | PspRefused | PspUnknown> {
    const found = await this.#call(undefined, () => this.#retrieveOf[kind](id));
    if (found.kind !== 'got') return undeclined(found);
    return { kind: 'answered', value: found.value };
  }

  readonly #retrieveOf: {
    readonly [Kind in PspObjectKind]: (id: string) => Promise<PspObjects[Kind]>;
  } = {
    payment: async (id) =>
      paymentOf(
        this.name,
        await this.#stripe.paymentIntents.retrieve(id, { expand: paymentExpand }),
      ),
    refund: async (id) => refundOf(this.name, await this.#stripe.refunds.retrieve(id)),
    payout: async (id) => payoutOf(this.name, await this.#stripe.payouts.retrieve(id)),
    dispute: async (id) => disputeOf(this.name, await this.#stripe.disputes.retrieve(id)),
    authentication: async (id) => {
      const [intent = id] = id.split('.');
      return authenticationOf(this.name, await this.#stripe.setupIntents.retrieve(intent));
    },
    page: async (id) =>
      pageOf(this.name, await this.#stripe.checkout.sessions.retrieve(id, { expand: pageExpand })),
  };

  async method(token: string): Promise<PspAnswered<PspMethod> | PspRefused | PspUnknown> {
    const found = await this.#call(undefined, () => this.#stripe.paymentMethods.retrieve(token));
    if (found.kind !== 'got') return undeclined(found);
    return { kind: 'answered', value: methodOf(this.name, found.value) };
  }

  async find<Kind extends PspReferencedKind>(
    kind: Kind,
    query: FindQuery,
  ): Promise<PspFound<PspObjects[Kind]>> {
    const found = await this.#call(undefined, () => findStripe(this.#finder, kind, query));
    return found.kind === 'got' ? found.value : undeclined(found);
  }

  parseWebhook(delivery: WebhookDelivery): ParsedWebhook {
    const { webhookSecrets: secrets } = this.#options;
    const { webhooks } = this.#stripe;
    const { toleranceSeconds } = webhookLimits;
    return parseStripeWebhook({ psp: this.name, webhooks, secrets, toleranceSeconds }, delivery);
  }

  async hints(query: HintsQuery): Promise<PspAnswered<HintsPage> | PspRefused | PspUnknown> {
    const page = await this.#call(undefined, () => stripeHints(this.#stripe, this.name, query));
    return page.kind === 'got' ? { kind: 'answered', value: page.value } : undeclined(page);
  }

  async settlementFile(
    date: string,
  ): Promise<PspAnswered<SettlementFile> | PspRefused | PspUnknown> {
    if (!isDay(date)) return invalid(`${date} is no day`);
    const over = new Date(this.#options.clock.now()).toISOString().slice(0, 10) > date;
    if (!over) return { kind: 'refused', reason: 'wrong_state', detail: `${date} is not over` };
    const file = await this.#call(undefined, async () => {
      const asked = await settlementRun(this.#stripe, date);
      // What is answered to a key stays what it was at first: the run itself says how far it is.
      const run =
        asked.status === 'succeeded'
          ? asked
          : await this.#stripe.reporting.reportRuns.retrieve(asked.id);
      return fileOfRun(this.#stripe, this.name, date, run);
    });
    return file.kind === 'got' ? file.value : undeclined(file);
  }

  /** A payment that waits for the buyer is an answer of its own kind; one that was declined, too. */
  #paymentAnswer(made: Got<Stripe.PaymentIntent> | StripeFailure): PspAnswer<PspPayment> {
    return this.#answerOf(made, (intent) => paymentOf(this.name, intent));
  }

  #answerOf<T, Value extends { readonly status: string; readonly actionUrl?: string }>(
    made: Got<T> | StripeFailure,
    read: (object: T) => Value,
  ): PspAnswer<Value> {
    if (made.kind !== 'got') return made;
    const value = read(made.value);
    const requestId = requestIdOf(made);
    if (value.status === 'requires_action' && value.actionUrl) {
      return { kind: 'requires_action', value, actionUrl: value.actionUrl, ...requestId };
    }
    return { kind: 'answered', value, ...requestId };
  }

  /**
   * Waits for one call, as long as the terms say and the caller likes. An error of the client is a failure of the
   * port; others are bugs. A call that nobody waits for any more may still have its effect.
   */
  async #call<T>(signal: AbortSignal | undefined, call: () => Promise<T>) {
    if (signal?.aborted) {
      const detail = 'it was given up before anything was sent';
      return { kind: 'refused', reason: 'unavailable', detail } as const;
    }
    const done = new AbortController();
    const given = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
    const { callMsMax } = this.terms;
    const late = this.#options.clock.sleep(callMsMax, given).then((): StripeFailure => {
      const detail = `there was no answer within ${callMsMax} ms, or nobody waited for it`;
      return { kind: 'unknown', reason: 'timeout', detail };
    });
    const answer = call().then((value): Got<T> => ({ kind: 'got', value }), failureOf);
    try {
      return await Promise.race([answer, late]);
    } finally {
      done.abort();
    }
  }
}

interface Got<T> {
  readonly kind: 'got';
  readonly value: T;
}

function requestIdOf({ value }: Got<unknown>): { readonly requestId?: string } {
  const response = (value as { readonly lastResponse?: { readonly requestId?: string } })
    .lastResponse;
  return response?.requestId ? { requestId: response.requestId } : {};
}

/** A look declines nothing. */
function undeclined(failure: StripeFailure): PspRefused | PspUnknown {
  if (failure.kind !== 'declined') return failure;
  return { kind: 'refused', reason: 'invalid_request', detail: `it was declined: ${failure.code}` };
}

function invalid(detail: string): PspRefused {
  return { kind: 'refused', reason: 'invalid_request', detail };
}
