import { fieldsProblem, Problem, type Route, route } from '@annals/http';
import { buyerSubject, type CheckoutChanged, type Payments } from '@annals/payments';
import type { RequestIdentity } from '@annals/payments/idempotency';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { changedOrderAnswer, shownChange } from './answers.ts';
import { problemOf } from './errors.ts';
import { evidenceInput, filesOf } from './evidence-input.ts';
import { amountOfOrder, idSchema, keyHeaders, keyProblems } from './fields.ts';
import { type Answered, keyed } from './keyed.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';
import { findOrder } from './reads.ts';
import { scopes } from './scopes.ts';

/** What is done with an order that was taken. */
export function orderRoutes(means: PaymentsApiMeans): readonly Route[] {
  return [
    captureRoute(means),
    cancelRoute(means),
    deliveredRoute(means),
    refundRoute(means),
    evidenceRoute(means),
    reviewRoute(means),
  ];
}

const orderUrl = '/v1/payment_orders/:checkout_id/:payment_order_id';
const params = { checkout_id: idSchema, payment_order_id: idSchema };
const orderProblems = ['unknown-checkout', 'unknown-order', ...keyProblems];

function captureRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: `${orderUrl}/capture`,
    scope: scopes.sell,
    tag: 'orders',
    summary: 'Take all or a part of what is authorized',
    description: 'Once for each order: what is not taken is let go. 202: the provider was asked.',
    params,
    headers: keyHeaders,
    body: z.strictObject({ amount: amountOfOrder.optional() }),
    response: { 202: changedOrderAnswer },
    problems: [
      ...['not-authorized', 'above-authorized', 'amount-step', 'in-progress'],
      ...orderProblems,
    ],
    handler: (request, reply) => {
      const { amount } = request.body;
      return change(means, request, reply, 202, (payments, { checkout, order }, { begunAt: at }) =>
        payments.capture(checkout, order, {
          at,
          ...(amount === undefined ? {} : { amount: BigInt(amount) }),
        }),
      );
    },
  });
}

function cancelRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: `${orderUrl}/cancel`,
    scope: scopes.sell,
    tag: 'orders',
    summary: 'End an order that is not paid',
    description:
      'What is authorized is let go at the provider first; `state` is canceled after that.',
    params,
    headers: keyHeaders,
    response: { 202: changedOrderAnswer },
    problems: ['already-captured', 'order-ended', 'in-progress', ...orderProblems],
    handler: (request, reply) =>
      change(means, request, reply, 202, (payments, { checkout, order }, { begunAt: at }) =>
        payments.cancel(checkout, order, { at }),
      ),
  });
}

function deliveredRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: `${orderUrl}/delivered`,
    scope: scopes.sell,
    tag: 'orders',
    summary: 'The buyer has the goods',
    description: "What is pending of the seller's becomes available.",
    params,
    headers: keyHeaders,
    response: { 200: changedOrderAnswer },
    problems: ['not-captured', ...orderProblems],
    handler: (request, reply) =>
      change(means, request, reply, 200, (payments, { checkout, order }, { begunAt: at }) =>
        payments.delivered(checkout, order, { at }),
      ),
  });
}

const refundInput = z.strictObject({
  refund_id: idSchema.optional(),
  amount: amountOfOrder,
});

const refundedAnswer = changedOrderAnswer.extend({ refund_id: z.string() });

function refundRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: `${orderUrl}/refunds`,
    scope: scopes.sell,
    tag: 'orders',
    summary: 'Give back all or a part of what was captured',
    description:
      'As often as something is left of it. A refund is told from another by its refund_id or by the Idempotency-Key: one ' +
      'of them is needed. 202: the provider was asked.',
    params,
    headers: keyHeaders,
    body: refundInput,
    response: { 202: refundedAnswer },
    problems: [
      ...['not-captured', 'above-refundable', 'amount-step', 'refund-exists'],
      ...orderProblems,
    ],
    handler: (request, reply) => {
      const { refund_id, amount } = request.body;
      if (refund_id === undefined && request.headers['idempotency-key'] === undefined) {
        return nameless('refund_id');
      }
      const idOf = ({ requestId }: RequestIdentity) => refund_id ?? `r-${requestId}`;
      return change(
        means,
        request,
        reply,
        202,
        (payments, { checkout, order }, identity) =>
          payments.refund(checkout, order, {
            ...{ refundId: idOf(identity), amount: BigInt(amount), at: identity.begunAt },
          }),
        (identity) => ({ refund_id: idOf(identity) }),
      );
    },
  });
}

/** The problem of a request that nothing tells from the same one sent again. */
export function nameless(field: string): Problem {
  const message = 'is missing: without an Idempotency-Key it is needed';
  return fieldsProblem([{ in: 'body', field, message }]);
}

function evidenceRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: `${orderUrl}/disputes/:dispute_id/evidence`,
    scope: scopes.sell,
    tag: 'orders',
    summary: 'Answer a dispute with evidence',
    description:
      'With a body the evidence, texts and files, is sent to the provider, once and for all: 202 says that it is on its way. ' +
      'Without one it is only noted that it was handed over by hand, and by which key.',
    params: { ...params, dispute_id: idSchema },
    headers: keyHeaders,
    body: evidenceInput,
    bodyBytesMax: limits.evidenceBodyBytesMax,
    response: { 200: changedOrderAnswer, 202: changedOrderAnswer },
    problems: ['unknown-dispute', 'not-open', ...orderProblems],
    handler: (request, reply) => {
      const { dispute_id: disputeId } = request.params;
      const givenBy = request.caller.keyId;
      const { body } = request;
      return change(
        means,
        request,
        reply,
        body ? 202 : 200,
        (payments, named, { begunAt: at, requestId }) => {
          const given = { disputeId, givenBy, at };
          const files = { requestId, files: filesOf(body) };
          return body
            ? payments.submitEvidence(named.checkout, named.order, {
                ...{ ...given, evidence: body.evidence ?? {}, files },
              })
            : payments.evidence(named.checkout, named.order, given);
        },
      );
    },
  });
}

function reviewRoute(means: PaymentsApiMeans): Route {
  return route({
    method: 'POST',
    url: `${orderUrl}/review`,
    scope: scopes.finance,
    tag: 'orders',
    summary: 'Let an order through that risk has put aside, or refuse it',
    description: 'The queue is GET /v1/reviews.',
    params,
    headers: keyHeaders,
    body: z.strictObject({ verdict: z.enum(['approved', 'rejected']) }),
    response: { 200: changedOrderAnswer },
    problems: ['not-in-review', ...orderProblems],
    handler: (request, reply) => {
      const { verdict } = request.body;
      const decidedBy = request.caller.keyId;
      return change(means, request, reply, 200, (payments, { checkout, order }, { begunAt: at }) =>
        payments.review(checkout, order, { verdict, decidedBy, at }),
      );
    },
  });
}

type OrderRequest = Omit<FastifyRequest, 'params' | 'caller'> & {
  readonly params: { readonly checkout_id: string; readonly payment_order_id: string };
  readonly caller: { readonly keyId: string };
};

interface Named {
  readonly checkout: string;
  readonly order: string;
}

/** Changes an order once for its key, and answers how it stands then. */
function change(
  means: PaymentsApiMeans,
  request: OrderRequest,
  reply: FastifyReply,
  status: number,
  command: (
    payments: Payments,
    named: Named,
    identity: RequestIdentity,
  ) => Promise<CheckoutChanged>,
  more: (identity: RequestIdentity) => object = () => ({}),
): Promise<FastifyReply | Problem> {
  const { checkout_id: checkout, payment_order_id: order } = request.params;
  const payments = means.payments.as(request.caller.keyId);
  return keyed(means, request as unknown as FastifyRequest, reply, {
    subject: buyerSubject(checkout),
    outlivesSubject: true,
    check: async () => {
      const found = await findOrder(means, { query: {}, headers: {} }, checkout, order);
      return found instanceof Problem ? found : undefined;
    },
    run: async (identity): Promise<Answered | Problem> => {
      const result = await command(payments, { checkout, order }, identity);
      if (result.kind !== 'changed') return problemOf(result);
      const changed = result.state?.checkout;
      const found = changed?.orders.get(order);
      if (!changed || !found) throw new TypeError(`order ${order} of ${checkout} was changed`);
      const { position } = result;
      return { status, body: { ...shownChange(changed, found), ...more(identity), position } };
    },
  });
}
