import {
  type Changed,
  type ChangeMeans,
  changeAndLoad,
  type Loaded,
  loadStream,
} from './change.ts';
import type { CheckoutEvent } from './events.ts';
import { checkoutStreams, type OpenedCheckout } from './known-streams.ts';
import type { Decided, Refused } from './outcome.ts';
import type { Checkout } from './state.ts';
import { checkoutStream } from './streams.ts';

export type CheckoutChanged = Changed<OpenedCheckout>;

export async function loadCheckout(
  means: ChangeMeans,
  id: string,
): Promise<Loaded<OpenedCheckout>> {
  return loadStream(means, checkoutStreams, checkoutStream(id));
}

/** Makes a decision in the stream of a checkout. */
export async function changeCheckout(
  means: ChangeMeans,
  id: string,
  decide: (
    checkout: Checkout | undefined,
    sealed: Pick<OpenedCheckout, 'method' | 'buyerInfo'>,
  ) => Decided<CheckoutEvent> | Refused,
): Promise<CheckoutChanged> {
  return changeAndLoad(means, checkoutStreams, checkoutStream(id), ({ state }) =>
    decide(state?.checkout, state ?? { method: undefined, buyerInfo: undefined }),
  );
}
