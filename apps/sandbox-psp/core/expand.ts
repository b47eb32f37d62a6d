import type { Books } from './books.ts';
import { kindOfId } from './objects.ts';
import { shownMethod } from './payment-methods.ts';

export const expandDepthMax = 4;

/** Puts objects in the place of their ids, as `expand[]` asks (https://docs.stripe.com/expand). */
export function expand(books: Books, body: object, paths: readonly string[]): object {
  return paths.reduce<object>(
    (value, path) => expandAt(books, value, path.split('.').slice(0, expandDepthMax)) as object,
    body,
  );
}

function expandAt(books: Books, value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => expandAt(books, one, path));
  const [member, ...rest] = path;
  if (member === undefined) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, member)) return value;
  const at = (value as Record<string, unknown>)[member];
  const object = typeof at === 'string' ? objectOf(books, at) : at;
  return { ...value, [member]: expandAt(books, object, rest) };
}

function objectOf(books: Books, id: string): unknown {
  const kind = kindOfId(id);
  if (kind === 'payment_method') {
    const method = books.get(kind, id);
    return method ? shownMethod(method) : id;
  }
  return (kind && books.get(kind, id)) ?? id;
}
