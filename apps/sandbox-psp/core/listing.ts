import { z } from 'zod';
import type { Books } from './books.ts';
import type { Kind, Objects } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, type Reply } from './reply.ts';

export const listLimits = { pageMax: 100, pageDefault: 10 } as const;

const limit = z
  .string()
  .regex(/^[0-9]{1,4}$/, 'Invalid integer')
  .transform(Number)
  .refine((count) => count >= 1 && count <= listLimits.pageMax);

/** What every list takes (https://docs.stripe.com/api/pagination). */
export const listing = {
  ...expanding,
  limit: limit.optional(),
  starting_after: fields.id.optional(),
  ending_before: fields.id.optional(),
  created: z
    .union([
      fields.seconds.transform((at) => ({ gte: at, lt: at + 1 })),
      z.strictObject({
        gt: fields.seconds.optional(),
        gte: fields.seconds.optional(),
        lt: fields.seconds.optional(),
        lte: fields.seconds.optional(),
      }),
    ])
    .optional(),
};

export type Listing = z.output<z.ZodObject<typeof listing>>;

/** One page of a list, newest first, with `has_more`. */
export function listReply<K extends Kind>(
  books: Books,
  kind: K,
  url: string,
  query: Listing & {
    readonly parent?: string | undefined;
    readonly types?: readonly string[] | undefined;
  },
  show: (object: Objects[K]) => object = (object) => object,
): Reply {
  const { parent, types, created = {}, starting_after, ending_before } = query;
  const { gt, gte, lt, lte } = created as { gt?: number; gte?: number; lt?: number; lte?: number };
  const from = gt === undefined ? gte : gt + 1;
  const to = lte === undefined ? lt : lte + 1;
  const size = query.limit ?? listLimits.pageDefault;
  const page = books.storage.page(kind, {
    limit: size + 1,
    ...(parent === undefined ? {} : { parent }),
    ...(types === undefined ? {} : { types }),
    ...(from === undefined ? {} : { createdFrom: from }),
    ...(to === undefined ? {} : { createdTo: to }),
    ...(starting_after === undefined ? {} : { startingAfter: starting_after }),
    ...(ending_before === undefined ? {} : { endingBefore: ending_before }),
  });
  const more = page.length > size;
  const first = ending_before !== undefined && more ? 1 : 0;
  const data = page.slice(first, first + size).map(show);
  return answer({ object: 'list', data, has_more: more, url });
}
