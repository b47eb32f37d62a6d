import { checkoutLimits } from '../decide/checkout.ts';
import { type Checkout, lastAttempt, type OrderFold } from '../state.ts';
import { deadAttempts, orderEnds } from '../transitions.ts';

/**
 * What a checkout needs next, as a function of its state and the time alone. Whoever drives it asks, carries out what
 * is said, and asks again: a process that was killed in between loses nothing, and two that drive at once make the
 * same events. Calls to providers are no step: an intent's event is what the executor waits for.
 */
export type Step =
  | { readonly kind: 'authenticate' }
  | { readonly kind: 'assess-risk'; readonly orderId: string }
  /** Make a payment known at a provider that is chosen now. `tried`: the providers of earlier attempts. */
  | { readonly kind: 'attempt'; readonly orderId: string; readonly tried: readonly string[] }
  | { readonly kind: 'confirm'; readonly orderId: string; readonly attempt: number }
  | { readonly kind: 'release'; readonly orderId: string }
  | { readonly kind: 'expire'; readonly orderId: string };

export interface NextSteps {
  readonly steps: readonly Step[];
  /** When to ask again where nothing happens before; undefined where time alone changes nothing. */
  readonly askAgainAt: number | undefined;
}

export function nextSteps(checkout: Checkout, now: number): NextSteps {
  const orders = [...checkout.orders.values()];
  const steps = orders.flatMap((order) => stepOf(checkout, order, now));
  const isReady = orders.some(({ cleared, state }) => cleared && state === 'not_started');
  const needsAuthentication = orders.length > 1 && checkout.authentication.state === 'none';
  // Nobody is asked to prove anything before an order is let through, and not for what has expired.
  if (needsAuthentication && isReady && now < checkout.expiresAt)
    steps.push({ kind: 'authenticate' });
  const times = orders.flatMap((order) => timeOf(checkout, order));
  const later = times.filter((at) => at > now);
  return { steps, askAgainAt: later.length > 0 ? Math.min(...later) : undefined };
}

function stepOf(checkout: Checkout, order: OrderFold, now: number): Step[] {
  const orderId = order.terms.payment_order_id;
  if (orderEnds.has(order.state)) return [];
  if (order.state === 'captured') {
    return now >= (order.releaseAt ?? Number.POSITIVE_INFINITY)
      ? [{ kind: 'release', orderId }]
      : [];
  }
  if (now >= checkout.expiresAt) return isAtRest(order) ? [{ kind: 'expire', orderId }] : [];
  const attempt = lastAttempt(order);
  if (!attempt || deadAttempts.has(attempt.state)) return beginning(checkout, order);
  const isCreated = attempt.state === 'created' && attempt.voiding === undefined;
  return isCreated && attempt.doubt === undefined
    ? [{ kind: 'confirm', orderId, attempt: attempt.number }]
    : [];
}

/** Nothing is under way at a provider for this order: it may end. */
function isAtRest(order: OrderFold): boolean {
  const attempt = lastAttempt(order);
  if (!attempt || deadAttempts.has(attempt.state)) return true;
  const { state, doubt, capturing, voiding } = attempt;
  const isAsked = state === 'requested' || state === 'confirming';
  return !isAsked && doubt === undefined && capturing === undefined && voiding === undefined;
}

function beginning(checkout: Checkout, order: OrderFold): Step[] {
  const orderId = order.terms.payment_order_id;
  if (order.state === 'risk_review') return [];
  if (!order.cleared) return [{ kind: 'assess-risk', orderId }];
  const isAuthenticated = checkout.authentication.state === 'authenticated';
  if (checkout.orders.size > 1 && !isAuthenticated) return [];
  if (order.attempts.length >= checkoutLimits.attemptsMax) return [];
  return [{ kind: 'attempt', orderId, tried: order.attempts.map(({ psp }) => psp) }];
}

function timeOf({ expiresAt }: Checkout, { state, releaseAt }: OrderFold): number[] {
  if (state === 'captured') return releaseAt === undefined ? [] : [releaseAt];
  return orderEnds.has(state) ? [] : [expiresAt];
}
