import { parse } from 'qs';
import { z } from 'zod';
import { isCurrency } from './balance.ts';
import { invalid, type Reply } from './reply.ts';

export const parameterLimits = {
  bodyBytesMax: 262_144,
  /** Of a form with a file. */
  fileBodyBytesMax: 6_000_000,
  parametersMax: 1_000,
  depthMax: 6,
  listItemsMax: 100,
  metadataMembersMax: 50,
  metadataKeyCharsMax: 40,
  metadataValueCharsMax: 500,
  /** Stripe's limit of eight digits. */
  chargeAmountMax: 99_999_999,
  payoutAmountMax: 999_999_999_999,
} as const;

const amountOf = (max: number) =>
  z
    .string()
    .regex(/^[0-9]{1,15}$/, 'Invalid integer')
    .transform(Number)
    .refine((amount) => amount >= 1, 'This value must be greater than or equal to 1.')
    .refine((amount) => amount <= max, `Amount must be no more than ${max}`);

export const fields = {
  amount: amountOf(parameterLimits.chargeAmountMax),
  payoutAmount: amountOf(parameterLimits.payoutAmountMax),
  currency: z
    .string()
    .transform((code) => code.toLowerCase())
    .refine(isCurrency, 'Invalid currency'),
  text: z.string().min(1).max(5_000),
  id: z.string().min(1).max(255),
  flag: z.enum(['true', 'false']).transform((text) => text === 'true'),
  seconds: z
    .string()
    .regex(/^[0-9]{1,12}$/, 'Invalid integer')
    .transform(Number),
  metadata: z
    .record(
      z.string().max(parameterLimits.metadataKeyCharsMax),
      z.string().max(parameterLimits.metadataValueCharsMax),
    )
    .refine((members) => Object.keys(members).length <= parameterLimits.metadataMembersMax),
  expand: z.array(z.string().max(200)).max(20),
  url: z.url({ protocol: /^https?$/ }).max(2_000),
};

/** Every operation takes this. */
export const expanding = { expand: fields.expand.optional() };

export type Parsed<T> =
  | { readonly kind: 'parsed'; readonly value: T }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** Form-encoded text with nested keys (`metadata[order]=1`, `expand[0]=charge`). */
export function parseForm(text: string): Parsed<Record<string, unknown>> {
  try {
    const value = parse(text, {
      depth: parameterLimits.depthMax,
      strictDepth: true,
      arrayLimit: parameterLimits.listItemsMax,
      parameterLimit: parameterLimits.parametersMax,
      throwOnLimitExceeded: true,
      plainObjects: true,
      duplicates: 'last',
    });
    return { kind: 'parsed', value };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { kind: 'refused', reply: invalid('Invalid request: too many or too deep parameters.') };
  }
}

/** The parameters by their schema, or the error that Stripe gives for the first one that is wrong. */
export function checkParameters<S extends z.ZodType>(
  schema: S,
  given: Record<string, unknown>,
): Parsed<z.output<S>> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return { kind: 'parsed', value: parsed.data };
  const [issue] = parsed.error.issues;
  return { kind: 'refused', reply: replyOfIssue(issue, given) };
}

function replyOfIssue(issue: z.core.$ZodIssue | undefined, given: unknown): Reply {
  if (!issue) throw new Error('a refusal without an issue');
  const param = nameOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const unknown = nameOf([...issue.path, issue.keys[0] ?? '']);
    const message = `Received unknown parameter: ${unknown}`;
    return invalid(message, { code: 'parameter_unknown', param: unknown });
  }
  if (valueAt(given, issue.path) === undefined) {
    return invalid(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }
  const code = /^Amount must be no more/.test(issue.message)
    ? 'amount_too_large'
    : 'parameter_invalid';
  return invalid(`Invalid ${param}: ${issue.message}`, { code, param });
}

function nameOf(path: readonly PropertyKey[]): string {
  const [first, ...rest] = path.map(String);
  return [first ?? '', ...rest.map((part) => `[${part}]`)].join('');
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null
        ? (at as Record<PropertyKey, unknown>)[part]
        : undefined,
    value,
  );
}
