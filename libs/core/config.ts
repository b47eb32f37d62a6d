import type { z } from 'zod';

export type Configured<T> =
  | { readonly kind: 'configured'; readonly value: T }
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** Reads configuration from environment variables by a zod schema; each problem names its variable. */
export function configFrom<S extends z.ZodType>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): Configured<z.output<S>> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return { kind: 'configured', value: parsed.data };
  return {
    kind: 'invalid',
    problems: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  };
}
