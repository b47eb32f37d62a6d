import { Problem, type Route, route } from '@annals/http';
import {
  type DenyListEntry,
  type DenyLists,
  denyListHash,
  denyListNames,
} from '@annals/payments/risk';
import { z } from 'zod';
import { isoTime } from './answers.ts';
import { paymentsErrors, problemOf } from './errors.ts';
import { freeText, idSchema, keyHeaders, keyProblems, positionInAnswer } from './fields.ts';
import { type Answered, keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { decodeCursor, encodeCursor, nextCursor, pageQuery } from './pages.ts';
import { scopes } from './scopes.ts';

const list = z.enum(denyListNames);

const changeInput = z
  .strictObject({
    list,
    value: freeText(limits.buyerValueCharsMax)
      .optional()
      .describe('A buyer_id or email, the fingerprint of a card, a seller account, a country.'),
    checkout_id: idSchema
      .optional()
      .describe('In place of a value: whoever paid this checkout, or the card they paid with.'),
    reason: freeText(limits.reasonCharsMax),
  })
  .superRefine(({ list: name, value, checkout_id: checkout }, context) => {
    const at = (message: string) => context.addIssue({ code: 'custom', path: ['value'], message });
    if ((value === undefined) === (checkout === undefined)) {
      at('either value or checkout_id is needed, and not both');
    } else if (name === 'seller' && value === undefined) {
      at('a seller is named by its account');
    }
  });
type Change = z.output<typeof changeInput>;

const changeAnswer = z.strictObject({
  list,
  value_hash: z.string().describe('SHA-256 of the value; sealed in the log.'),
  denied: z.boolean(),
  position: positionInAnswer,
});

const entriesAnswer = z.strictObject({
  data: z.array(
    z.strictObject({
      list,
      value_hash: z.string(),
      denied: z.boolean(),
      reason: z.string(),
      decided_by: z.string().describe('The id of the key.'),
      at: z.string(),
    }),
  ),
  next_cursor: nextCursor,
});

/** Who is turned away before any money moves. */
export function denyListRoutes(means: PaymentsApiMeans, lists: DenyLists): readonly Route[] {
  return [
    changeRoute(means, lists, {
      what: 'listed',
      url: '/v1/deny_list',
      summary: 'Turn a buyer, a card, a seller or a country away',
      description: 'Every order that comes after it is rejected before a provider is asked.',
    }),
    changeRoute(means, lists, {
      what: 'lifted',
      url: '/v1/deny_list/lift',
      summary: 'Take a buyer, a card, a seller or a country off its deny list',
      description: 'What is on no list changes nothing.',
    }),
    entriesRoute(lists),
  ];
}

function changeRoute(
  means: PaymentsApiMeans,
  lists: DenyLists,
  {
    what,
    ...texts
  }: Pick<DenyListEntry, 'what'> & Record<'url' | 'summary' | 'description', string>,
): Route {
  return route({
    ...texts,
    method: 'POST',
    scope: scopes.finance,
    tag: 'risk',
    headers: keyHeaders,
    body: changeInput,
    response: changeAnswer,
    problems: ['nothing-known', ...keyProblems],
    handler: (request, reply) =>
      keyed(means, request, reply, {
        subject: `deny_list:${request.body.list}`,
        run: async ({ requestId, begunAt: at }): Promise<Answered | Problem> => {
          const { list: name, reason } = request.body;
          const value = await deniedValue(lists, request.body);
          if (value instanceof Problem) return value;
          const by = { reason, decidedBy: request.caller.keyId, requestId, at };
          const changed = await lists.change(what, { list: name, value, ...by });
          if (changed.kind !== 'changed') return problemOf(changed);
          const hash = denyListHash(name, value);
          const denied = changed.state?.holds(name, hash) ?? false;
          const { position } = changed;
          return { status: 200, body: { list: name, value_hash: hash, denied, position } };
        },
      }),
  });
}

async function deniedValue(lists: DenyLists, change: Change): Promise<string | Problem> {
  const { list: name, value, checkout_id: checkout } = change;
  if (value !== undefined) return value;
  if (name === 'seller' || checkout === undefined) throw new TypeError('it names nobody');
  const known = await lists.valueOf(name, checkout);
  const what = `nothing is known of the ${name} of ${checkout}`;
  return known ?? paymentsErrors.problem('nothing-known', { what });
}

const placeSchema = z.tuple([z.int().min(0)]);

function entriesRoute(lists: DenyLists): Route {
  return route({
    method: 'GET',
    url: '/v1/deny_list',
    scope: scopes.finance,
    tag: 'risk',
    summary: 'Who was put on the deny lists and taken off them, by whom and why',
    description: 'The newest first. The log holds hashes and no names.',
    query: pageQuery,
    response: entriesAnswer,
    problems: ['invalid-cursor'],
    handler: async ({ query: { cursor, limit = limits.pageRowsDefault } }) => {
      const decoded = decodeCursor('deny list', cursor, placeSchema);
      if (decoded instanceof Error) return decoded;
      const [before] = decoded.after ?? [];
      const entries = await lists.entries({ limit, ...(before === undefined ? {} : { before }) });
      const last = entries.at(-1)?.revision ?? 0;
      const next_cursor =
        entries.length < limit || last === 0 ? null : encodeCursor('deny list', [last]);
      return { data: entries.map(shown), next_cursor };
    },
  });
}

function shown({ what, list: name, valueHash, reason, decidedBy, at }: DenyListEntry) {
  return {
    ...{ list: name, value_hash: valueHash, denied: what === 'listed', reason },
    ...{ decided_by: decidedBy, at: isoTime(at) },
  };
}
