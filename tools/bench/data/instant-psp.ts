import type {
  CapturePayment,
  CreatePayment,
  Psp,
  PspAnswer,
  PspPayment,
  PspRefused,
} from '@annals/payments/psp';

const refused: PspRefused = {
  kind: 'refused',
  reason: 'not_permitted',
  detail: 'payments only',
};

/** A provider in this process that answers at once: what is measured is what Annals does around the calls. */
export function instantPsp(): Psp {
  const payments = new Map<string, PspPayment>();
  const byReference = new Map<string, string>();
  const held = (id: string) => payments.get(id) ?? missing(id);
  const put = (payment: PspPayment): PspAnswer<PspPayment> => {
    payments.set(payment.id, payment);
    return { kind: 'answered', value: payment };
  };
  const captured = (payment: PspPayment, amount: PspPayment['amount']): PspPayment => {
    const fee = { amount: amount.amount / 50n, currency: amount.currency };
    return { ...payment, status: 'captured', captured: amount, fee, chargeId: `ch_${payment.id}` };
  };
  return {
    name: 'instant',
    amountStep: () => 1n,
    terms: { keyLifeMs: 86_400_000, callMsMax: 1_000, inFlightMsMax: 1_000 },
    authenticate: async () => refused,
    openPage: async () => refused,
    closePage: async () => refused,
    createPayment: async ({ reference, amount }: CreatePayment) => {
      const known = byReference.get(reference);
      if (known !== undefined) return { kind: 'answered', value: held(known) };
      const id = `pi_${payments.size}`;
      byReference.set(reference, id);
      const none = { amount: 0n, currency: amount.currency };
      const rest = { captured: none, refunded: none, disputed: false } as const;
      return put({ psp: 'instant', id, reference, status: 'created', amount, ...rest });
    },
    confirmPayment: async ({ paymentId }) => {
      const payment = held(paymentId);
      return put(captured(payment, payment.amount));
    },
    capturePayment: async ({ paymentId, amount }: CapturePayment) =>
      put(captured(held(paymentId), amount)),
    voidPayment: async ({ paymentId }) => put({ ...held(paymentId), status: 'voided' }),
    createRefund: async () => refused,
    createPayout: async () => refused,
    submitEvidence: async () => refused,
    retrieve: async () => refused,
    method: async () => refused,
    find: async () => ({ kind: 'not_found', settledMs: 0 }),
    hints: async () => ({ kind: 'answered', value: { hints: [], next: undefined } }),
    parseWebhook: () => ({ kind: 'refused', reason: 'malformed', detail: 'there are none' }),
    settlementFile: async () => refused,
  };
}

function missing(id: string): never {
  throw new Error(`there is no payment ${id}`);
}
