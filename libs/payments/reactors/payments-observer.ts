import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import { observeDispute, observeRefund } from '../decide/after-capture.ts';
import { observeAuthentication } from '../decide/attempts.ts';
import { observePage } from '../decide/payment-page.ts';
import { observePayout } from '../decide/seller.ts';
import type { Psp, PspDispute, PspPayment } from '../psp/port.ts';
import { keepContradiction } from '../reconciliation/contradictions.ts';
import type { Seller } from '../seller-state.ts';
import { checkoutStream, sellerStream } from '../streams.ts';
import { paymentFound } from './payments-outcomes.ts';
import { executorLimits } from './psp-executor.ts';
import type { Observed, ObserverMeans } from './psp-hints.ts';
import { parseReference } from './references.ts';
import { type Applied, NotAppendedError, paymentsFolds } from './stream-folds.ts';

export interface PaymentsObserverOptions {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly clock: Clock;
  readonly psp: (name: string) => Psp | undefined;
  /**
   * Told of what a provider says that doesn't fit with what is booked. It is never booked, and is kept for a person
   * (`keepContradiction`) before this is told.
   */
  readonly onContradiction: (object: Observed, why: string) => void;
}

type AppliedTo = Applied & { readonly stream: string };

/** Brings what a provider holds into the streams of checkouts and sellers, found by our reference on the object. */
export function paymentsObserver(options: PaymentsObserverOptions): ObserverMeans {
  const { log, cipher, clock, psp, onContradiction } = options;
  const { checkouts, sellers } = paymentsFolds(log, cipher);

  async function apply(object: Observed): Promise<AppliedTo | 'not_ours'> {
    const at = clock.now();
    const told = { at, callBefore: at + executorLimits.callWithinMs };
    if (object.kind === 'dispute') return applyDispute(object.value, at);
    const reference = parseReference(object.value.reference);
    if (object.kind === 'payment' && reference?.kind === 'attempt') {
      return ofCheckout(reference, (checkout) =>
        paymentFound(checkout, reference, object.value, told),
      );
    }
    if (object.kind === 'refund' && reference?.kind === 'refund') {
      return ofCheckout(reference, (checkout) =>
        observeRefund(checkout, reference.order, reference.refund, object.value, at),
      );
    }
    if (object.kind === 'authentication' && reference?.kind === 'authentication') {
      return ofCheckout(reference, (checkout) => observeAuthentication(checkout, object.value, at));
    }
    if (object.kind === 'page' && reference?.kind === 'page') {
      return ofCheckout(reference, (checkout) => observePage(checkout, object.value, told));
    }
    if (object.kind === 'payout' && reference?.kind === 'payout') {
      const stream = sellerStream(reference.seller);
      const { payout } = reference;
      const decide = (seller?: Seller) => observePayout(seller, payout, object.value, at);
      return { ...(await sellers.decide(stream, decide)), stream };
    }
    return 'not_ours';
  }

  const ofCheckout = async (
    { checkout }: { readonly checkout: string },
    decide: Parameters<typeof checkouts.decide>[1],
  ): Promise<AppliedTo> => {
    const stream = checkoutStream(checkout);
    return { ...(await checkouts.decide(stream, decide)), stream };
  };

  /** A dispute names its payment, and the payment its order. */
  async function applyDispute(dispute: PspDispute, at: number): Promise<AppliedTo | 'not_ours'> {
    const payment = await paymentOf(psp, dispute);
    const reference = payment && parseReference(payment.reference);
    if (reference?.kind !== 'attempt') return 'not_ours';
    return ofCheckout(reference, (checkout) =>
      observeDispute(checkout, reference.order, dispute, at),
    );
  }

  return {
    psp,
    observe: async (object) => {
      const applied = await apply(object);
      if (applied === 'not_ours') return 'not_ours';
      if (applied.kind === 'appended') return 'changed';
      // A card was given by somebody who was erased since: nothing is kept of it.
      if (applied.kind === 'refused' && applied.reason === 'subject-erased') return 'unchanged';
      if (applied.kind === 'refused') {
        if (applied.reason === 'too-early') return 'later';
        const { reason, detail, stream } = applied;
        await keepContradiction({ log, cipher, clock }, { object, stream, reason, detail });
        onContradiction(object, `${reason}: ${detail}`);
      }
      return 'unchanged';
    },
  };
}

async function paymentOf(
  psp: PaymentsObserverOptions['psp'],
  { psp: name, paymentId }: PspDispute,
): Promise<PspPayment | undefined> {
  const found = await psp(name)?.retrieve('payment', paymentId);
  if (!found || found.kind === 'answered') return found?.value;
  // Whoever does not answer now has not said that there is none: the dispute is looked at again.
  if (found.kind === 'refused' && found.reason === 'not_found') return undefined;
  throw new NotAppendedError(paymentId, found.detail);
}
