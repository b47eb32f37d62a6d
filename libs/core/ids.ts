import { v5, v7, validate } from 'uuid';

/** The namespace of every name-based id of Annals (UUIDv5 of "annals" in the DNS namespace). */
const namespace = v5('annals', v5.DNS);

/**
 * A UUIDv5 (RFC 9562 §5.5) of a business key: the same parts give the same id, on every machine.
 * Parts are length-prefixed, so `['a', 'bc']` and `['ab', 'c']` differ.
 */
export function idFromKey(...parts: readonly string[]): string {
  return v5(parts.map((part) => `${part.length}:${part}`).join(''), namespace);
}

/** A new UUIDv7 (RFC 9562 §5.7), for what has no natural key. */
export function newId(): string {
  return v7();
}

/** Whether `text` is a UUID in its canonical lower-case form, the only form the log stores. */
export function isId(text: string): boolean {
  return text.length === 36 && text === text.toLowerCase() && validate(text);
}
