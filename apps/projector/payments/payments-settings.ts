import { type PayoutLimits, parsePayoutLimits } from '@annals/payments/finance';
import { type PspTerms, type RoutingRule, stripeTerms } from '@annals/payments/psp';
import type { RiskRules } from '@annals/payments/risk';
import { z } from 'zod';
import { maskedUrl } from '../site/masked-url.ts';
import { jsonFileField } from './json-file.ts';

/** A payment provider as this process talks to it. */
export interface PspPlace {
  /** In events, metrics and rules. */
  readonly name: string;
  /** `sandbox` until it is known where that listens. */
  readonly url: string;
  readonly key: string;
  /** Two while one is being replaced. */
  readonly webhookSecrets: readonly string[];
  /** What it promises of its own behaviour; what Stripe does unless told. */
  readonly terms?: PspTerms;
  readonly searchLagMs?: number;
}

/** What payments need beside a site. Plain data: it crosses to the projector's thread. Holds keys: never print it. */
export interface PaymentsSettings {
  readonly psps: readonly PspPlace[];
  readonly rules: readonly RoutingRule[];
  readonly risk: RiskRules;
  /** How long a seller's reserve is held back. */
  readonly reserveDays: number;
  /** Where browsers come back to from a page of the provider, when a payment names no place. */
  readonly returnUrl: string;
  /** Above which amount a payout needs a second person, by currency. */
  readonly releaseAbove: PayoutLimits;
  /** Whether webhooks may be sent to addresses of this network. */
  readonly allowPrivate: boolean;
}

/** What the sandbox PSP takes unless it is told otherwise: known to everybody, and good for nothing else. */
export const sandboxKey = 'sk_test_sandbox';
export const sandboxSecret = 'whsec_sandbox';
export const sandboxName = 'sandbox';

const secretsMax = 8;
const name = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be a name of a-z, 0-9 and -');
const secret = z.string().min(8, 'must have 8 characters or more').max(500);
const webUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });
const currency = z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code');
const amount = z
  .string()
  .regex(/^\d{1,18}$/, 'must be minor units as text')
  .transform(BigInt);
const secretsSchema = z
  .string()
  .transform((text) => text.split(',').map((one) => one.trim()))
  .pipe(z.array(secret).min(1).max(secretsMax));

const dayMs = 86_400_000;
const termsSchema = z.strictObject({
  key_life_ms: z
    .int()
    .min(1)
    .max(30 * dayMs)
    .optional(),
  call_ms_max: z.int().min(1).max(600_000).optional(),
  in_flight_ms_max: z.int().min(1).max(dayMs).optional(),
  search_lag_ms: z.int().min(0).max(dayMs).optional(),
});

const pspFileSchema = z
  .strictObject({
    providers: z
      .array(
        z.strictObject({
          name,
          url: z.union([webUrl, z.literal('sandbox')]),
          key: secret.optional(),
          webhook_secrets: z.array(secret).min(1).max(secretsMax).optional(),
          terms: termsSchema.optional(),
        }),
      )
      .min(1)
      .max(20),
    rules: z
      .array(
        z.strictObject({
          psp: name,
          currencies: z.array(currency).min(1).optional(),
          amount_min: amount.optional(),
          amount_max: amount.optional(),
          sellers: z.array(z.string().min(1)).min(1).optional(),
        }),
      )
      .min(1)
      .max(1_000),
  })
  .superRefine(({ providers, rules }, context) => {
    const names = providers.map((one) => one.name);
    const refuse = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    for (const [index, one] of names.entries()) {
      if (names.indexOf(one) < index) refuse(['providers', index, 'name'], 'is there twice');
    }
    for (const [index, { psp }] of rules.entries()) {
      if (!names.includes(psp)) refuse(['rules', index, 'psp'], `there is no provider ${psp}`);
    }
    for (const [index, one] of providers.entries()) {
      if (one.url === 'sandbox' || (one.key && one.webhook_secrets)) continue;
      refuse(['providers', index], 'needs a key and webhook_secrets');
    }
  });

const riskFileSchema = z.strictObject({
  amounts: z
    .array(
      z.strictObject({ currency, review_from: amount.optional(), reject_from: amount.optional() }),
    )
    .max(200)
    .optional(),
  velocity: z
    .array(
      z.strictObject({
        by: z.enum(['buyer', 'card']),
        window_minutes: z.int().min(1).max(44_640),
        orders_max: z.int().min(1).max(999).optional(),
        amount_max: z.strictObject({ amount, currency }).optional(),
        verdict: z.enum(['review', 'rejected']),
      }),
    )
    .max(50)
    .optional(),
  sanctions: z.array(z.string().min(1).max(200)).max(1_000_000).optional(),
  external: z
    .array(
      z.strictObject({
        name,
        url: webUrl,
        key: secret,
        answer_ms_max: z.int().min(100).max(30_000),
        on_failure: z.enum(['open', 'closed']),
      }),
    )
    .max(10)
    .optional(),
  card: z
    .strictObject({
      answer_ms_max: z.int().min(100).max(30_000),
      on_failure: z.enum(['open', 'closed']),
    })
    .optional(),
});

/** The settings of payments: the same for every program that calls providers. */
export const paymentsFields = {
  ANNALS_PSP_URL: z
    .string()
    .refine((text) => text === 'sandbox' || text === 'off' || webUrl.safeParse(text).success, {
      error: 'must be an http or https URL, sandbox or off',
      abort: true,
    })
    .optional()
    .describe(
      'The payment provider, which speaks the API of Stripe; sandbox unless told: a provider to try, which npm start brings along. With off nothing is charged.',
    ),
  ANNALS_PSP_KEY: secret.optional().describe('The secret key of the payment provider.'),
  ANNALS_PSP_WEBHOOK_SECRET: secretsSchema
    .optional()
    .describe(
      'What webhooks of the provider are signed with; several apart by commas while one is being replaced.',
    ),
  ANNALS_PSP_RETURN_URL: webUrl
    .optional()
    .describe(
      'Where browsers come back to from a page of the provider, when a payment names no place.',
    ),
  ANNALS_PSP_FILE: jsonFileField(pspFileSchema).describe(
    'JSON file of several providers and of the rules that choose one, instead of ANNALS_PSP_URL.',
  ),
  ANNALS_RISK_FILE: jsonFileField(riskFileSchema).describe(
    'JSON file of the rules that look at each order before money moves; the deny list alone unless told.',
  ),
  ANNALS_RESERVE_DAYS: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number of days, 0 to 9999')
    .transform(Number)
    .optional()
    .describe('How long the reserve of a seller is held back, in days; 90 unless told.'),
  ANNALS_PAYOUT_RELEASE_ABOVE: z
    .string()
    .transform((text, context) => {
      const limits = parsePayoutLimits(text);
      if (typeof limits !== 'string') return limits;
      context.addIssue({ code: 'custom', message: limits });
      return z.NEVER;
    })
    .optional()
    .describe(
      'Payouts above these amounts (on demand: all to a seller in 24 hours) need a second person: CURRENCY:MINOR-UNITS, apart by commas; none do unless told.',
    ),
  ANNALS_WEBHOOKS_ALLOW_PRIVATE: z
    .enum(['yes', 'no'], 'must be yes or no')
    .optional()
    .describe('Whether merchants may be told at addresses of the own network; no unless told.'),
} as const;

const paymentsSchema = z.object(paymentsFields);
export type PaymentsFieldValues = z.output<typeof paymentsSchema>;

/** What no single setting tells; to be put on the whole schema with `superRefine`. */
export function checkPaymentsSettings(values: PaymentsFieldValues, context: z.RefinementCtx): void {
  const { ANNALS_PSP_URL: url, ANNALS_PSP_FILE: file } = values;
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: 'custom', path: [field], message });
  if (file && url !== undefined) refuse('ANNALS_PSP_FILE', 'is instead of ANNALS_PSP_URL: set one');
  if (file || url === undefined || url === 'sandbox' || url === 'off') return;
  for (const field of ['ANNALS_PSP_KEY', 'ANNALS_PSP_WEBHOOK_SECRET'] as const) {
    if (values[field] === undefined)
      refuse(field, 'must be set where ANNALS_PSP_URL is a provider');
  }
}

const reserveDaysDefault = 90;

/** What the settings say; undefined where payments are off. */
export function paymentsSettingsOf(values: PaymentsFieldValues): PaymentsSettings | undefined {
  const { ANNALS_PSP_URL: url = 'sandbox', ANNALS_PSP_FILE: file } = values;
  if (!file && url === 'off') return undefined;
  const psps = file ? file.providers.map(placeOf) : [singlePlace(values)];
  return {
    psps,
    rules: file ? file.rules.map(ruleOf) : psps.map((one) => ({ psp: one.name })),
    risk: riskOf(values.ANNALS_RISK_FILE ?? {}),
    reserveDays: values.ANNALS_RESERVE_DAYS ?? reserveDaysDefault,
    returnUrl: values.ANNALS_PSP_RETURN_URL ?? 'http://127.0.0.1:8080/',
    releaseAbove: values.ANNALS_PAYOUT_RELEASE_ABOVE ?? new Map(),
    allowPrivate: values.ANNALS_WEBHOOKS_ALLOW_PRIVATE === 'yes',
  };
}

function singlePlace(values: PaymentsFieldValues): PspPlace {
  const { ANNALS_PSP_URL: url = 'sandbox' } = values;
  return {
    name: url === 'sandbox' ? sandboxName : 'stripe',
    url,
    key: values.ANNALS_PSP_KEY ?? sandboxKey,
    webhookSecrets: values.ANNALS_PSP_WEBHOOK_SECRET ?? [sandboxSecret],
  };
}

type PspFile = z.output<typeof pspFileSchema>;

function placeOf(provider: PspFile['providers'][number]): PspPlace {
  const { name: called, url, key = sandboxKey, webhook_secrets: secrets, terms } = provider;
  const webhookSecrets = secrets ?? [sandboxSecret];
  return { name: called, url, key, webhookSecrets, ...(terms && termsOf(terms)) };
}

function termsOf(terms: z.output<typeof termsSchema>): Pick<PspPlace, 'terms' | 'searchLagMs'> {
  const {
    key_life_ms: keyLifeMs = stripeTerms.keyLifeMs,
    call_ms_max: callMsMax = stripeTerms.callMsMax,
    in_flight_ms_max: inFlightMsMax = stripeTerms.inFlightMsMax,
    search_lag_ms: searchLagMs,
  } = terms;
  return {
    terms: { keyLifeMs, callMsMax, inFlightMsMax },
    ...(searchLagMs === undefined ? {} : { searchLagMs }),
  };
}

function ruleOf(rule: PspFile['rules'][number]): RoutingRule {
  const { psp, currencies, amount_min: min, amount_max: max, sellers } = rule;
  return {
    psp,
    ...(currencies ? { currencies } : {}),
    ...(min === undefined ? {} : { amountMin: min }),
    ...(max === undefined ? {} : { amountMax: max }),
    ...(sellers ? { sellers } : {}),
  };
}

function riskOf({
  amounts,
  velocity,
  sanctions,
  external,
  card,
}: z.output<typeof riskFileSchema>): RiskRules {
  return {
    ...(card && { card: { answerMsMax: card.answer_ms_max, onFailure: card.on_failure } }),
    ...(sanctions ? { sanctions } : {}),
    ...(amounts && {
      amounts: amounts.map(({ currency: of, review_from: review, reject_from: reject }) => ({
        currency: of,
        ...(review === undefined ? {} : { reviewFrom: review }),
        ...(reject === undefined ? {} : { rejectFrom: reject }),
      })),
    }),
    ...(velocity && {
      velocity: velocity.map(({ by, window_minutes, orders_max, amount_max, verdict }) => ({
        ...{ by, windowMs: window_minutes * 60_000, verdict },
        ...(orders_max === undefined ? {} : { ordersMax: orders_max }),
        ...(amount_max ? { amountMax: amount_max } : {}),
      })),
    }),
    ...(external && {
      external: external.map(({ answer_ms_max: answerMsMax, on_failure: onFailure, ...rest }) => ({
        ...{ ...rest, answerMsMax, onFailure },
      })),
    }),
  };
}

/** The providers, for people: where they are, and no keys. */
export function shownPsps(
  settings: PaymentsSettings | undefined,
): readonly (readonly [part: string, place: string])[] {
  return (settings?.psps ?? [])
    .filter(({ url }) => url !== 'sandbox')
    .map(({ name: called, url }) => [`payment provider ${called}`, maskedUrl(url)] as const);
}
