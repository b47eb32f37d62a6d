import { systemClock } from '@annals/core';
import { memoryEventLog } from '@annals/event-log';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import type { Psp, PspDispute } from '../psp/port.ts';
import { paymentsObserver } from './payments-observer.ts';

const dispute: PspDispute = {
  ...{ psp: 'one', id: 'dp_1', paymentId: 'pi_1', status: 'lost', reason: 'fraudulent' },
  amount: { amount: 100n, currency: 'USD' },
};

function observerWhere(retrieved: object) {
  const psp = { retrieve: async () => retrieved } as unknown as Psp;
  return paymentsObserver({
    ...{ log: memoryEventLog(), cipher: subjectCipher(memorySubjectKeyStore()) },
    ...{ clock: systemClock, psp: () => psp, onContradiction: () => undefined },
  });
}

test.each([
  ['does not answer', { kind: 'unknown', detail: 'timeout' }],
  ['is not asked at present', { kind: 'refused', reason: 'unavailable', detail: 'nothing sent' }],
])('a dispute whose provider %s is not said to be of somebody else', async (_, retrieved) => {
  const { observe } = observerWhere(retrieved);
  await expect(observe({ kind: 'dispute', value: dispute })).rejects.toThrow('pi_1');
});

test('a dispute of a payment that is not there is none of ours', async () => {
  const { observe } = observerWhere({ kind: 'refused', reason: 'not_found', detail: 'no such' });
  expect(await observe({ kind: 'dispute', value: dispute })).toBe('not_ours');
});
