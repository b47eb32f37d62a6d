import canonicalize from 'canonicalize';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: JsonValue | undefined;
}

/**
 * JSON text in canonical form (RFC 8785): members sorted, no white space; equal values give equal text.
 * Throws a TypeError for what JSON cannot carry (NaN, Infinity, bigint, undefined at the top).
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('the value has no JSON form');
  return text;
}
