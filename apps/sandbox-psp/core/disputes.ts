import { z } from 'zod';
import { disputeFee, moveBalance } from './balance.ts';
import type { Books } from './books.ts';
import { listing, listReply } from './listing.ts';
import type { Dispute } from './objects.ts';
import { expanding, fields } from './parameters.ts';
import { answer, missing, type Reply, refusal } from './reply.ts';
import { type Route, route } from './route.ts';

/**
 * The holder's bank takes back what is left of a captured charge, and a fee; or as much as it is told, which may be more than
 * is left, in minor units.
 */
export function openDispute(
  books: Books,
  chargeId: string,
  { reason, amount: told }: { readonly reason: string; readonly amount?: number | undefined },
): Dispute | undefined {
  const charge = books.get('charge', chargeId);
  if (!charge?.captured || charge.disputed) return undefined;
  const amount = told ?? charge.amount - charge.amount_refunded;
  if (amount === 0) return undefined;
  const { currency, payment_intent } = charge;
  const id = books.idOf('dispute');
  const moved = moveBalance(books, {
    ...{ amount: -amount, currency, fee: disputeFee(books.means.fees, currency) },
    ...{ type: 'adjustment', category: 'dispute', source: id },
  });
  const dueBy = Math.floor((books.nowMs + books.pace.evidenceMs) / 1_000);
  const dispute: Dispute = {
    id,
    object: 'dispute',
    amount,
    balance_transactions: [moved],
    charge: charge.id,
    created: books.now,
    currency,
    evidence: {},
    evidence_details: { due_by: dueBy, has_evidence: false, submission_count: 0 },
    livemode: false,
    metadata: {},
    payment_intent,
    reason,
    status: 'needs_response',
  };
  books.storage.insert('dispute', dispute, payment_intent);
  books.storage.update('charge', { ...charge, dispute: id, disputed: true });
  books.emit('charge.dispute.created', dispute);
  books.job(books.pace.evidenceMs, { do: 'decide_dispute', id, status: 'lost' });
  return dispute;
}

/** The bank's word. Won: the amount comes back, and the fee does not. */
export function decideDispute(books: Books, id: string, status: 'won' | 'lost'): void {
  const dispute = books.need('dispute', id);
  if (dispute.status === 'won' || dispute.status === 'lost') return;
  const moves = [...dispute.balance_transactions];
  if (status === 'won') {
    const { amount, currency } = dispute;
    moves.push(
      moveBalance(books, {
        ...{ amount, currency, type: 'adjustment', category: 'dispute_reversal', source: id },
      }),
    );
    const charge = books.need('charge', dispute.charge);
    books.storage.update('charge', { ...charge, disputed: false });
  }
  const decided: Dispute = { ...dispute, balance_transactions: moves, status };
  books.storage.update('dispute', decided);
  books.emit('charge.dispute.closed', decided);
}

const updating = z.strictObject({
  ...expanding,
  evidence: z.record(z.string().max(100), z.string().max(20_000)).optional(),
  metadata: fields.metadata.optional(),
  submit: fields.flag.default(true),
});

/** Members of evidence that are ids of files. */
const fileMembers: ReadonlySet<string> = new Set([
  'receipt',
  'customer_communication',
  'customer_signature',
  'service_documentation',
  'shipping_documentation',
  'refund_policy',
  'cancellation_policy',
  'duplicate_charge_documentation',
  'uncategorized_file',
]);

/** Evidence that contains `winning_evidence` wins, and other evidence loses: Stripe's test words. */
function update(books: Books, given: z.output<typeof updating>, id: string): Reply {
  const dispute = books.get('dispute', id);
  if (!dispute) return missing('dispute', id, 'dispute');
  if (dispute.status !== 'needs_response') {
    return refusal('This dispute is already closed.', { code: 'status_transition_invalid' });
  }
  const [strange] = Object.entries(given.evidence ?? {}).filter(
    ([name, file]) => fileMembers.has(name) && !books.get('file', file),
  );
  if (strange) return missing('file upload', strange[1], `evidence[${strange[0]}]`);
  const evidence = { ...dispute.evidence, ...given.evidence };
  const hasEvidence = Object.keys(evidence).length > 0;
  const submitted = given.submit && hasEvidence;
  const updated: Dispute = {
    ...dispute,
    evidence,
    evidence_details: {
      ...dispute.evidence_details,
      has_evidence: hasEvidence,
      submission_count: dispute.evidence_details.submission_count + (submitted ? 1 : 0),
    },
    status: submitted ? 'under_review' : dispute.status,
  };
  books.storage.update('dispute', updated);
  books.emit('charge.dispute.updated', updated);
  if (submitted) {
    const wins = Object.values(evidence).some((text) => text.includes('winning_evidence'));
    const status = wins ? 'won' : 'lost';
    books.job(books.pace.disputeDecidedMs, { do: 'decide_dispute', id, status });
  }
  return answer(updated);
}

export const disputeRoutes: readonly Route[] = [
  route({
    ...{ method: 'GET', path: '/v1/disputes', operation: 'disputes.list' },
    parameters: z.strictObject({ ...listing, payment_intent: fields.id.optional() }),
    handle: (books, { payment_intent: parent, ...query }) =>
      listReply(books, 'dispute', '/v1/disputes', { ...query, parent }),
  }),
  route({
    ...{ method: 'GET', path: '/v1/disputes/:id', operation: 'disputes.retrieve' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      const dispute = books.get('dispute', id);
      return dispute ? answer(dispute) : missing('dispute', id, 'dispute');
    },
  }),
  route({
    ...{ method: 'POST', path: '/v1/disputes/:id', operation: 'disputes.update' },
    parameters: updating,
    handle: update,
  }),
  route({
    ...{ method: 'POST', path: '/v1/disputes/:id/close', operation: 'disputes.close' },
    parameters: z.strictObject(expanding),
    handle: (books, _, id) => {
      if (!books.get('dispute', id)) return missing('dispute', id, 'dispute');
      decideDispute(books, id, 'lost');
      return answer(books.need('dispute', id));
    },
  }),
];
