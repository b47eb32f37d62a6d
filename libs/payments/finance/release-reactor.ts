import type { SubjectCipher } from '@annals/core';
import type { AnyRecordedEvent, Performed, Reactor } from '@annals/projection';
import type { Payments } from '../service.ts';
import { financeCategory, financeEvents, type RecordedFinanceEvent } from './events.ts';
import type { Finance } from './service.ts';

export interface PayoutReleasesOptions {
  readonly cipher: SubjectCipher;
  readonly payments: Pick<Payments, 'payOutReleased' | 'as'>;
  readonly finance: Pick<Finance, 'refuse'>;
}

export const payoutReleasesName = 'payout-releases';

/** The wallet or the log is not ready: the same may be asked again in a moment. */
const passing: ReadonlySet<string> = new Set(['wallet-behind', 'wallet-lost']);

/**
 * Asks for the payouts that a second person has released, in their sellers' streams; what the money is not there for any
 * more is refused. Calls nobody: that is for the executor of payments.
 */
export function payoutReleases({ cipher, payments, finance }: PayoutReleasesOptions): Reactor {
  const perform = async ({ event }: { readonly event: AnyRecordedEvent }): Promise<Performed> => {
    const { data, type } = event as unknown as RecordedFinanceEvent;
    if (type !== 'payout-release-approved') throw new TypeError(`${type} releases no payout`);
    const changed = await payments.as(data.approved_by).payOutReleased({
      ...{ seller: data.seller_account, payoutId: data.payout_id, currency: data.currency },
      ...{ amount: BigInt(data.amount), psp: data.psp, because: data.because },
    });
    if (changed.kind === 'changed') return { kind: 'done', result: { came: 'requested' } };
    if (changed.kind !== 'refused' || passing.has(changed.reason)) {
      return { kind: 'retry', reason: changed.kind === 'refused' ? changed.reason : changed.kind };
    }
    const refused = await finance.refuse(data.request_id, `${changed.reason}: ${changed.detail}`);
    if (refused.kind !== 'changed') return { kind: 'retry', reason: refused.kind };
    return { kind: 'done', result: { came: changed.reason } };
  };
  return {
    name: payoutReleasesName,
    categories: [financeCategory],
    concurrencyMax: 8,
    // Nothing is sent to anybody: another process may begin at once.
    callWithinMs: 0,
    decode: async (events) =>
      (await financeEvents.decode(events, cipher)) as unknown as AnyRecordedEvent[],
    wants: ({ type }) => type === 'payout-release-approved',
    perform,
    lookUp: async (call) => {
      const performed = await perform(call);
      return performed.kind === 'done' ? performed : { kind: 'unclear', reason: performed.reason };
    },
  };
}
