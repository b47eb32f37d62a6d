/**
 * Our references at providers: they name what an object is about, so that a webhook finds its order by the object
 * alone, and a search finds the object by the order. Ids are percent-encoded; none of it is personal data.
 */
export type Reference =
  | { readonly kind: 'authentication' | 'page'; readonly checkout: string }
  | {
      readonly kind: 'attempt';
      readonly checkout: string;
      readonly order: string;
      readonly attempt: number;
    }
  | {
      readonly kind: 'refund';
      readonly checkout: string;
      readonly order: string;
      readonly refund: string;
    }
  | { readonly kind: 'payout'; readonly seller: string; readonly payout: string };

export function referenceOf(reference: Reference): string {
  switch (reference.kind) {
    case 'authentication':
      return joined('a', reference.checkout);
    case 'page':
      return joined('h', reference.checkout);
    case 'attempt':
      return joined('p', reference.checkout, reference.order, String(reference.attempt));
    case 'refund':
      return joined('r', reference.checkout, reference.order, reference.refund);
    case 'payout':
      return joined('o', reference.seller, reference.payout);
  }
}

/** Undefined for what this platform has not made. */
export function parseReference(text: string): Reference | undefined {
  const [kind, ...parts] = text.split('~').map(decoded);
  const [first, second, third] = parts;
  if (parts.some((part) => !part)) return undefined;
  if (kind === 'a' && first && parts.length === 1)
    return { kind: 'authentication', checkout: first };
  if (kind === 'h' && first && parts.length === 1) return { kind: 'page', checkout: first };
  if (kind === 'o' && first && second && parts.length === 2) {
    return { kind: 'payout', seller: first, payout: second };
  }
  if (!first || !second || !third || parts.length !== 3) return undefined;
  const of = { checkout: first, order: second };
  if (kind === 'r') return { kind: 'refund', ...of, refund: third };
  if (kind !== 'p' || !/^[1-9]\d{0,3}$/.test(third)) return undefined;
  return { kind: 'attempt', ...of, attempt: Number(third) };
}

function joined(...parts: readonly string[]): string {
  return parts.map(encoded).join('~');
}

/** Leaves only letters, digits, `-`, `_` and `.` as they are. */
function encoded(part: string): string {
  return encodeURIComponent(part).replace(
    /[!'()*~]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
