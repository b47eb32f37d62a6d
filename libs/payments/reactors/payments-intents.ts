import type { RecordedOf, RecordedPaymentsEvent } from '../events.ts';
import type { PspIntent } from './psp-intent.ts';
import { referenceOf } from './references.ts';

type Reader = (event: never) => Asked;
type Asked = PspIntent extends infer Intent
  ? Intent extends PspIntent
    ? Omit<Intent, 'key' | 'intendedAt'>
    : never
  : never;

/** The call that an event of the domain asks for; its id is the key. Undefined for all other events. */
export function intentOfEvent(event: RecordedPaymentsEvent): PspIntent | undefined {
  const read = (readers as { readonly [type: string]: Reader | undefined })[event.type];
  if (!read) return undefined;
  return { ...read(event as never), key: event.id, intendedAt: event.recordedAt } as PspIntent;
}

/** The method of a buyer who was erased is gone: the provider refuses what is left. */
const erasedMethod = 'erased';

const readers = {
  'authentication-requested': ({ data }: RecordedOf<'authentication-requested'>): Asked => ({
    ...{ call: 'authenticate', psp: data.psp, method: data.method ?? erasedMethod },
    reference: referenceOf({ kind: 'authentication', checkout: data.checkout_id }),
    ...(data.return_url === undefined ? {} : { returnUrl: data.return_url }),
  }),
  'payment-page-requested': ({ data }: RecordedOf<'payment-page-requested'>): Asked => ({
    ...{ call: 'open_page', psp: data.psp, currency: data.currency },
    ...{ returnUrl: data.return_url, expiresAt: data.expires_at },
    reference: referenceOf({ kind: 'page', checkout: data.checkout_id }),
  }),
  'payment-page-close-requested': ({
    data,
  }: RecordedOf<'payment-page-close-requested'>): Asked => ({
    ...{ call: 'close_page', psp: data.psp, pageId: data.page_id },
  }),
  'attempt-requested': ({ data }: RecordedOf<'attempt-requested'>): Asked => ({
    ...{
      call: 'create',
      psp: data.psp,
      method: data.method ?? erasedMethod,
      capture: data.capture,
    },
    reference: referenceOf({
      ...{ kind: 'attempt', checkout: data.checkout_id, order: data.payment_order_id },
      attempt: data.attempt,
    }),
    amount: { amount: BigInt(data.amount), currency: data.currency },
    seller: data.seller_account,
    ...(data.authentication_id === undefined ? {} : { authentication: data.authentication_id }),
  }),
  'attempt-confirm-requested': ({ data }: RecordedOf<'attempt-confirm-requested'>): Asked => ({
    ...{ call: 'confirm', psp: data.psp, paymentId: data.psp_payment_id },
    ...(data.authentication_id === undefined ? {} : { authentication: data.authentication_id }),
    ...(data.return_url === undefined ? {} : { returnUrl: data.return_url }),
  }),
  'capture-requested': ({ data }: RecordedOf<'capture-requested'>): Asked => ({
    ...{ call: 'capture', psp: data.psp, paymentId: data.psp_payment_id },
    amount: { amount: BigInt(data.amount), currency: data.currency },
  }),
  'void-requested': ({ data }: RecordedOf<'void-requested'>): Asked => ({
    ...{ call: 'void', psp: data.psp, paymentId: data.psp_payment_id },
  }),
  'refund-requested': ({ data }: RecordedOf<'refund-requested'>): Asked => ({
    ...{ call: 'refund', psp: data.psp, paymentId: data.psp_payment_id },
    reference: referenceOf({
      ...{ kind: 'refund', checkout: data.checkout_id, order: data.payment_order_id },
      refund: data.refund_id,
    }),
    amount: { amount: BigInt(data.amount), currency: data.currency },
  }),
  'dispute-evidence-requested': ({ data }: RecordedOf<'dispute-evidence-requested'>): Asked => ({
    ...{ call: 'evidence', psp: data.psp, disputeId: data.dispute_id },
    // That of a buyer who was erased is gone.
    evidence: data.evidence ?? {},
    ...(data.files === undefined
      ? {}
      : { kept: data.files.map(({ file_id: fileId, ...file }) => ({ ...file, fileId })) }),
  }),
  'payout-requested': ({ data }: RecordedOf<'payout-requested'>): Asked => ({
    ...{ call: 'payout', psp: data.psp, destination: data.bank_token ?? erasedMethod },
    reference: referenceOf({
      ...{ kind: 'payout', seller: data.seller_account, payout: data.payout_id },
    }),
    amount: { amount: BigInt(data.amount), currency: data.currency },
  }),
};

/** The types of the events that ask for a call. */
export const askingTypes: readonly string[] = Object.keys(readers);
