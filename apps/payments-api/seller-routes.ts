import { encodeCheckpoint } from '@annals/event-log';
import { Problem, type Route, route } from '@annals/http';
import { amountSchema, moneyLimits, type SellerTerms, sellerTermsSchema } from '@annals/payments';
import { z } from 'zod';
import { paymentsErrors, problemOf } from './errors.ts';
import {
  asOf,
  currencyCode,
  idSchema,
  positionInAnswer,
  readHeaders,
  readProblems,
  readQuery,
  tokenSchema,
  writeProblems,
} from './fields.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { answered, minPositionOf, waitFor } from './reads.ts';
import { scopes } from './scopes.ts';

/** Sellers and what they have. */
export function sellerRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [putSellerRoute(means), sellerRoute(means), walletsRoute(means)];
}

const basisPoints = z.int().min(0).max(moneyLimits.basisPointsMax);
/** An amount that may be nothing. */
const someAmount = z
  .string('must be a string of minor units, as "30" for 0.30 USD')
  .regex(/^(?:0|[1-9]\d*)$/, 'must be minor units: digits only, without a sign or leading zeros')
  .max(moneyLimits.digitsMax, `must have at most ${moneyLimits.digitsMax} digits`);

const termsMembers = {
  currencies: z
    .array(
      z.strictObject({
        currency: currencyCode,
        fee_basis_points: basisPoints.describe('Hundredths of a percent that the platform keeps.'),
        fee_fixed: someAmount,
        payout_minimum: amountSchema,
      }),
    )
    .min(1)
    .max(limits.sellerCurrenciesMax),
  reserve_basis_points: basisPoints.describe('What of each release is held in reserve.'),
  release_after_days: z.int().min(0).max(limits.releaseAfterDaysMax),
  payout_schedule: z.enum(['manual', 'daily', 'weekly', 'monthly']),
  payout_day: z.int().min(1).max(31).optional(),
};

const sellerInput = z
  .strictObject({
    ...termsMembers,
    bank_token: tokenSchema.optional().describe("The provider's token of the bank account."),
  })
  .superRefine(({ currencies, payout_schedule, payout_day }, context) => {
    const seen = new Set<string>();
    for (const [index, { currency }] of currencies.entries()) {
      const path = ['currencies', index, 'currency'];
      if (seen.has(currency)) context.addIssue({ code: 'custom', path, message: 'is there twice' });
      seen.add(currency);
    }
    const isWeekday = payout_schedule !== 'weekly' || (payout_day ?? 1) <= 7;
    const hasDay = payout_schedule === 'weekly' || payout_schedule === 'monthly';
    if (isWeekday && (hasDay || payout_day === undefined)) return;
    const message = isWeekday
      ? 'is only for a weekly or a monthly schedule'
      : 'must be 1 (Monday) to 7 where the schedule is weekly';
    context.addIssue({ code: 'custom', path: ['payout_day'], message });
  });

const sellerMembers = {
  seller_account: z.string(),
  ...sellerTermsSchema.shape,
  has_bank: z.boolean(),
};
const putAnswer = z.strictObject({ ...sellerMembers, position: positionInAnswer });
const sellerAnswer = z.strictObject({ ...sellerMembers, as_of: asOf });

function putSellerRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'PUT',
    url: '/v1/sellers/:seller_account',
    scope: scopes.admin,
    tag: 'sellers',
    summary: 'Register a seller, or give it other terms',
    description:
      'Orders keep the terms they were opened with. The same again changes nothing. The token of the bank account is ' +
      'personal data: it is sealed in the log and never answered; without one the account stays what it is.',
    params: { seller_account: idSchema },
    body: sellerInput,
    response: putAnswer,
    problems: ['subject-erased', ...writeProblems],
    handler: async ({ params, body, caller }) => {
      const { bank_token, ...input } = body;
      const { seller_account: account } = params;
      const payments = means.payments.as(caller.keyId);
      let result = await payments.putSeller(account, input);
      if (result.kind === 'changed' && bank_token !== undefined) {
        result = await payments.putBank(account, bank_token);
      }
      if (result.kind !== 'changed') return problemOf(result);
      const seller = result.state?.seller;
      if (!seller) throw new TypeError(`seller ${account} was registered`);
      return { ...shownSeller(account, seller), position: result.position };
    },
  });
}

function shownSeller(
  account: string,
  { terms, hasBank }: { readonly terms: SellerTerms; readonly hasBank: boolean },
) {
  return { seller_account: account, ...terms, has_bank: hasBank };
}

function sellerRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/sellers/:seller_account',
    scope: scopes.finance,
    tag: 'sellers',
    summary: 'A seller and its terms',
    params: { seller_account: idSchema },
    query: readQuery,
    headers: readHeaders,
    response: sellerAnswer,
    problems: ['unknown-seller', ...readProblems],
    handler: async (request) => {
      const { seller_account: account } = request.params;
      const problem = await waitFor(means, 'payments', minPositionOf(request));
      if (problem) return problem;
      // From its own stream: who has just been registered is there.
      const { state, checkpoint } = await means.payments.seller(account);
      if (!state) return unknownSeller(account);
      return { ...shownSeller(account, state.seller), as_of: encodeCheckpoint(checkpoint) };
    },
  });
}

const amount = z.string().describe('Minor units.');

const walletsAnswer = z.strictObject({
  seller_account: z.string(),
  wallets: z.array(
    z.strictObject({
      currency: z.string(),
      available: amount.describe(
        'May be paid out; below zero only by a refund, a dispute or an entry by hand.',
      ),
      pending: amount.describe('Captured, and not released yet.'),
      reserved: amount,
      disputed: amount.describe('Held while a dispute is open.'),
    }),
  ),
  as_of: asOf,
});

function walletsRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'GET',
    url: '/v1/wallets/:seller_account',
    scope: scopes.finance,
    tag: 'sellers',
    summary: 'What a seller has, by currency',
    params: { seller_account: idSchema },
    query: readQuery,
    headers: readHeaders,
    response: walletsAnswer,
    problems: ['unknown-seller', ...readProblems],
    handler: async (request) => {
      const { seller_account } = request.params;
      const found = await answered(
        means,
        'wallets',
        request,
        () => means.wallets.wallets(seller_account),
        ({ wallets }) => ({ seller_account, wallets: wallets.map(shownWallet) }),
      );
      if (found instanceof Problem || found.wallets.length > 0) return found;
      const { state } = await means.payments.seller(seller_account);
      return state ? found : unknownSeller(seller_account);
    },
  });
}

function shownWallet(wallet: {
  readonly currency: string;
  readonly available: bigint;
  readonly pending: bigint;
  readonly reserved: bigint;
  readonly disputed: bigint;
}) {
  return {
    currency: wallet.currency,
    available: String(wallet.available),
    pending: String(wallet.pending),
    reserved: String(wallet.reserved),
    disputed: String(wallet.disputed),
  };
}

export function unknownSeller(account: string): Problem {
  return paymentsErrors.problem('unknown-seller', { what: `there is no seller ${account}` });
}
