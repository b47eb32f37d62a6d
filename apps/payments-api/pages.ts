import { identifier, integerParameter, logErrors, type Problem } from '@annals/http';
import { z } from 'zod';
import { limits } from './limits.ts';

/** What every list may say. */
export const pageQuery = {
  limit: integerParameter({ min: 1, max: limits.pageRowsMax }).optional(),
  cursor: identifier({ charsMax: limits.cursorCharsMax }).optional(),
};

export const nextCursor = z.string().nullable().describe('Opaque; null on the last page.');

/** Where the next page of a list begins, as text. */
export function encodeCursor(list: string, place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...place])).toString('base64url');
}

/** The place that a cursor of this list stands for, or the problem of one that is none. */
export function decodeCursor<Place>(
  list: string,
  cursor: string | undefined,
  schema: z.ZodType<Place>,
): { readonly after: Place | undefined } | Problem {
  if (cursor === undefined) return { after: undefined };
  const invalid = () =>
    logErrors.problem('invalid-cursor', { what: 'the cursor is none of this list' });
  try {
    const [of, ...place] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const parsed = schema.safeParse(place);
    return of === list && parsed.success ? { after: parsed.data } : invalid();
  } catch {
    return invalid();
  }
}
