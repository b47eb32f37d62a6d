import type Stripe from 'stripe';
import type { FindQuery, PspFound, PspObjects, PspReferencedKind, PspTerms } from './port.ts';
import {
  pageExpand,
  pageOf,
  paymentExpand,
  paymentOf,
  payoutOf,
  referenceMember,
  refundOf,
} from './stripe-objects.ts';

export const findLimits = {
  /** Objects looked at in a list before giving up: the reference is then not to be found this way. */
  listObjectsMax: 10_000,
  /** How far Stripe's clock may be behind ours. */
  clockSkewMsMax: 5 * 60 * 1_000,
} as const;

export interface StripeFinder {
  readonly psp: string;
  readonly stripe: Stripe;
  readonly terms: PspTerms;
  readonly searchLagMs: number;
}

/** The object with our reference. Throws the client's errors. */
export async function findStripe<Kind extends PspReferencedKind>(
  finder: StripeFinder,
  kind: Kind,
  query: FindQuery,
): Promise<PspFound<PspObjects[Kind]>> {
  if (!/^[\w.:~%-]{1,400}$/.test(query.reference)) {
    return { kind: 'refused', reason: 'invalid_request', detail: 'no reference of ours' };
  }
  return finders[kind](finder, query) as Promise<PspFound<PspObjects[Kind]>>;
}

type Found<Kind extends PspReferencedKind> = Promise<PspFound<PspObjects[Kind]>>;

const finders: {
  readonly [Kind in PspReferencedKind]: (finder: StripeFinder, query: FindQuery) => Found<Kind>;
} = {
  payment: findPayment,
  refund: findRefund,
  payout: findPayout,
  page: findPage,
};

/** The search lags behind; what it finds is fetched again, because its copy does, too. */
async function findPayment(finder: StripeFinder, { reference }: FindQuery): Found<'payment'> {
  const { psp, stripe, terms, searchLagMs } = finder;
  const { data } = await stripe.paymentIntents.search({
    query: `metadata['${referenceMember}']:'${reference}'`,
    limit: 10,
  });
  const [first, ...others] = data;
  if (!first) return { kind: 'not_found', settledMs: terms.inFlightMsMax + searchLagMs };
  if (others.length > 0) return ambiguous(data);
  const intent = await stripe.paymentIntents.retrieve(first.id, { expand: paymentExpand });
  return { kind: 'found', value: paymentOf(psp, intent) };
}

/** Lists do not lag; those of one payment are short. */
async function findRefund(finder: StripeFinder, query: FindQuery): Found<'refund'> {
  const { paymentId } = query;
  const list = finder.stripe.refunds.list({
    ...(paymentId ? { payment_intent: paymentId } : createdSince(query)),
    limit: 100,
  });
  return findInList(finder, list, query, (refund) => refundOf(finder.psp, refund));
}

async function findPayout(finder: StripeFinder, query: FindQuery): Found<'payout'> {
  const list = finder.stripe.payouts.list({ ...createdSince(query), limit: 100 });
  return findInList(finder, list, query, (payout) => payoutOf(finder.psp, payout));
}

async function findPage(finder: StripeFinder, query: FindQuery): Found<'page'> {
  const expand = pageExpand.map((path) => `data.${path}`);
  const list = finder.stripe.checkout.sessions.list({ ...createdSince(query), limit: 100, expand });
  return findInList(finder, list, query, (session) => pageOf(finder.psp, session));
}

function createdSince({ since }: FindQuery) {
  const gte = Math.max(0, Math.floor((since - findLimits.clockSkewMsMax) / 1_000));
  return { created: { gte } };
}

interface Listed {
  readonly id: string;
  readonly metadata: Stripe.Metadata | null;
}

async function findInList<T extends Listed, Value>(
  { terms }: StripeFinder,
  list: AsyncIterable<T>,
  { reference }: FindQuery,
  read: (object: T) => Value,
): Promise<PspFound<Value>> {
  const found: T[] = [];
  let objects = 0;
  for await (const object of list) {
    objects += 1;
    if (objects > findLimits.listObjectsMax) {
      const detail = `more than ${findLimits.listObjectsMax} objects since then`;
      return { kind: 'unknown', reason: 'provider_error', detail };
    }
    if (object.metadata?.[referenceMember] === reference) found.push(object);
  }
  const [first, ...others] = found;
  if (!first) return { kind: 'not_found', settledMs: terms.inFlightMsMax };
  return others.length > 0 ? ambiguous(found) : { kind: 'found', value: read(first) };
}

function ambiguous(objects: readonly { readonly id: string }[]): PspFound<never> {
  return { kind: 'ambiguous', ids: objects.map(({ id }) => id) };
}
