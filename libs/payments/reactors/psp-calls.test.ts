import { expect, test } from 'vitest';
import type { PspPayment, PspPaymentStatus } from '../psp/port.ts';
import { outcomeShown } from './psp-calls.ts';
import type { PspIntent } from './psp-intent.ts';

type OnPayment = Extract<PspIntent, { readonly call: 'confirm' | 'capture' | 'void' }>;

const declined = { reason: 'lost_card', code: 'lost_card', next: 'fail' } as const;

/** What each status of a payment says of each call on it. */
const table: readonly (readonly [PspPaymentStatus, string, string, string])[] = [
  // status            confirm        capture        void
  ['created', 'nothing yet', 'wrong_state', 'nothing yet'],
  ['requires_action', 'settled', 'wrong_state', 'nothing yet'],
  ['processing', 'settled', 'nothing yet', 'nothing yet'],
  ['declined', 'declined', 'wrong_state', 'nothing yet'],
  ['authorized', 'settled', 'nothing yet', 'nothing yet'],
  ['captured', 'settled', 'settled', 'wrong_state'],
  ['voided', 'wrong_state', 'wrong_state', 'settled'],
];

test.each(table)('a payment that is %s: confirm %s, capture %s, void %s', (status, ...shown) => {
  const calls = ['confirm', 'capture', 'void'] as const;
  for (const [index, call] of calls.entries()) {
    const payment = { status, ...(status === 'declined' ? { declined } : {}) } as PspPayment;
    const outcome = outcomeShown({ call } as OnPayment, payment);
    const says = outcome?.kind === 'refused' ? outcome.reason : (outcome?.kind ?? 'nothing yet');
    expect(says).toBe(shown[index]);
  }
});
