import { z } from 'zod';

/**
 * Schemas of the fields that most APIs have. Each refuses what no caller means: control characters,
 * lone surrogates, numbers that are not exact, dates before computers.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses.
const printable = /^[^\u0000-\u001f\u007f-\u009f]*$/;

/** Text on one line: `charsMin` (default 1) to `charsMax` characters (UTF-16 code units), well-formed Unicode. */
export function lineOfText(bounds: { readonly charsMin?: number; readonly charsMax: number }) {
  return z
    .string()
    .min(bounds.charsMin ?? 1)
    .max(bounds.charsMax)
    .regex(printable, 'must not have control characters')
    .refine((text) => text.isWellFormed(), 'must be well-formed Unicode');
}

/** An id that another system made up: 1 to `charsMax` (default 128) printable characters, taken as they are. */
export function identifier(bounds: { readonly charsMax?: number } = {}) {
  return lineOfText({ charsMax: bounds.charsMax ?? 128 });
}

/** A time in ISO 8601 with a zone (RFC 3339), as milliseconds since 1970. Default bounds: the years 2000 to 2099. */
export function timestamp(bounds: { readonly from?: string; readonly until?: string } = {}) {
  const from = bounds.from ?? '2000-01-01T00:00:00Z';
  const until = bounds.until ?? '2100-01-01T00:00:00Z';
  const earliest = Date.parse(from);
  const end = Date.parse(until);
  return z.iso
    .datetime({ offset: true })
    .max(40)
    .transform((text) => Date.parse(text))
    .refine((time) => time >= earliest && time < end, `must be from ${from} until before ${until}`);
}

/** The JSON schema a parameter is documented by, where zod's own would say "string". See `openapi.ts`. */
export const documentedAs = z.registry<{
  readonly jsonSchema: { readonly [name: string]: unknown };
}>();

interface IntegerBounds {
  readonly min: number;
  readonly max: number;
}

type IntegerParameter = ReturnType<typeof digits>;

/**
 * An integer in a query or a path: decimal digits only, so that `1e3`, `0x10`, ` 5` and the empty
 * text are refused. With `default` it may be left out.
 */
export function integerParameter(
  bounds: IntegerBounds & { readonly default: number },
): z.ZodDefault<IntegerParameter>;
export function integerParameter(bounds: IntegerBounds): IntegerParameter;
export function integerParameter(bounds: IntegerBounds & { readonly default?: number }) {
  const schema = digits(bounds);
  const jsonSchema = { type: 'integer', minimum: bounds.min, maximum: bounds.max };
  documentedAs.add(schema, { jsonSchema });
  if (bounds.default === undefined) return schema;
  const optional = schema.default(bounds.default);
  documentedAs.add(optional, { jsonSchema: { ...jsonSchema, default: bounds.default } });
  return optional;
}

function digits({ min, max }: IntegerBounds) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?(?:0|[1-9]\d{0,15})$/, message)
    .transform(Number)
    .pipe(z.int(message).min(min, message).max(max, message));
}
