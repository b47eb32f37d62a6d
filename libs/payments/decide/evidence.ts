import type { CheckoutEvent } from '../events.ts';
import type { KeptFile } from '../evidence-files.ts';
import { decided, refused } from '../outcome.ts';
import type { Evidence } from '../psp/evidence.ts';
import type { Checkout } from '../state.ts';
import { checkoutEvent, findOrder } from './decide.ts';

/** What is said to the provider in a dispute, once. */

interface Given {
  readonly disputeId: string;
  readonly givenBy: string;
  readonly at: number;
}

/** The dispute, where it still takes evidence. */
function findDispute(checkout: Checkout | undefined, orderId: string, disputeId: string) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const dispute = found.order.disputes.get(disputeId);
  if (!dispute) return refused('unknown-dispute', `order ${orderId} has no dispute ${disputeId}`);
  if (dispute.state === 'won' || dispute.state === 'lost') {
    return refused('not-open', `dispute ${disputeId} is ${dispute.state}: no evidence is taken`);
  }
  return { ...found, dispute };
}

/** Evidence was handed to the provider: by us, or by hand. */
export function giveEvidence(
  checkout: Checkout | undefined,
  orderId: string,
  { disputeId, givenBy, at }: Given,
) {
  const found = findDispute(checkout, orderId, disputeId);
  if (found.kind === 'refused') return found;
  if (found.dispute.state === 'evidence_given') return decided<CheckoutEvent>();
  const data = { ...found.ids, dispute_id: disputeId, given_by: givenBy };
  return decided(checkoutEvent('dispute-evidence-given', [orderId, disputeId], at, data));
}

/** Intent: send the evidence to the provider that holds the payment. */
export function requestEvidence(
  checkout: Checkout | undefined,
  orderId: string,
  command: Given & {
    readonly evidence: Evidence;
    readonly files?: readonly KeptFile[];
    readonly callBefore: number;
  },
) {
  const { disputeId, givenBy, evidence, files = [], at, callBefore } = command;
  const found = findDispute(checkout, orderId, disputeId);
  if (found.kind === 'refused') return found;
  const { dispute, ids, order } = found;
  if (dispute.state === 'evidence_given' || dispute.submittedBy !== undefined) {
    return refused('not-open', `dispute ${disputeId} has evidence already: it takes none twice`);
  }
  const charged = order.attempts.findLast(({ state }) => state === 'captured');
  if (!charged) throw new TypeError(`order ${orderId} is disputed, and was never captured`);
  const submission = dispute.submissions + 1;
  return decided(
    checkoutEvent('dispute-evidence-requested', [orderId, disputeId, String(submission)], at, {
      ...{ ...ids, dispute_id: disputeId, submission, psp: charged.psp, given_by: givenBy },
      evidence,
      ...(files.length === 0 ? {} : { files: files.map(storedFile) }),
      call_before: callBefore,
    }),
  );
}

function storedFile({ field, type, fileId: file_id, bytes }: KeptFile) {
  return { field, type, file_id, bytes };
}

/** The provider has not taken it: the dispute waits for an answer as before. */
export function refuseEvidence(
  checkout: Checkout | undefined,
  orderId: string,
  {
    disputeId,
    reason,
    at,
  }: { readonly disputeId: string; readonly reason: string; readonly at: number },
) {
  const found = findOrder(checkout, orderId);
  if (found.kind === 'refused') return found;
  const dispute = found.order.disputes.get(disputeId);
  if (dispute?.state !== 'opened' || dispute.submittedBy === undefined) {
    return decided<CheckoutEvent>();
  }
  const submission = dispute.submissions;
  return decided(
    checkoutEvent('dispute-evidence-refused', [orderId, disputeId, String(submission)], at, {
      ...{ ...found.ids, dispute_id: disputeId, submission, reason },
    }),
  );
}
