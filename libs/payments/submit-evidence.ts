import type { ChangeMeans } from './change.ts';
import { type CheckoutChanged, changeCheckout, loadCheckout } from './change-checkout.ts';
import { type At, type CallMeans, calledAt, givenAt } from './command-time.ts';
import { requestEvidence } from './decide/evidence.ts';
import { keepEvidenceFiles } from './evidence-files.ts';
import type { Evidence, EvidenceFile } from './psp/evidence.ts';

export interface EvidenceCommand extends At {
  readonly disputeId: string;
  readonly givenBy: string;
}

export interface SubmitEvidenceCommand extends EvidenceCommand {
  readonly evidence: Evidence;
  /** `requestId` tells the files of one request from those of another. */
  readonly files?: { readonly requestId: string; readonly files: readonly EvidenceFile[] };
}

/** Files are stored first, and only where the dispute takes an answer. */
export async function submitEvidence(
  means: ChangeMeans & CallMeans,
  id: string,
  orderId: string,
  command: SubmitEvidenceCommand,
): Promise<CheckoutChanged> {
  const { files: given, ...rest } = command;
  const request = (files: Parameters<typeof requestEvidence>[2]['files'] = []) =>
    changeCheckout(means, id, (checkout) =>
      requestEvidence(checkout, orderId, { ...rest, ...calledAt(command, means), files }),
    );
  if (!given || given.files.length === 0) return request();
  const { state } = await loadCheckout(means, id);
  const asked = { ...rest, ...calledAt(command, means) };
  const wanted = requestEvidence(state?.checkout, orderId, asked);
  if (wanted.kind === 'refused') return wanted;
  const { requestId } = given;
  const of = { checkoutId: id, requestId, at: givenAt(command, means.clock) };
  const kept = await keepEvidenceFiles(means, of, given.files);
  return kept.kind === 'kept' ? request(kept.files) : kept;
}
