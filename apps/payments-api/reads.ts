import { type Checkpoint, coversAll, decodeCheckpoint, encodeCheckpoint } from '@annals/event-log';
import { logErrors, Problem } from '@annals/http';
import type { Answer, Checkout, Followed, OrderFold } from '@annals/payments';
import { coveringAnswer } from '@annals/projection';
import { paymentsErrors, problemOf } from './errors.ts';
import { limits } from './limits.ts';
import type { PaymentsApiMeans } from './means.ts';

/** A request that may name the position it has to see. */
export interface ReadRequest {
  readonly query: { readonly 'min-position'?: string | undefined };
  readonly headers: { readonly 'min-position'?: string | undefined };
}

type Projection = 'payments' | 'ledger' | 'wallets';

const readModelOf = { payments: 'paymentsRead', ledger: 'ledger', wallets: 'wallets' } as const;

export function minPositionOf({ query, headers }: ReadRequest): string | undefined {
  return query['min-position'] ?? headers['min-position'];
}

/** A read as it is answered: what `ask` found, with the checkpoint it is good for; or the problem that it came to. */
export async function answered<T extends object, Body extends object>(
  means: PaymentsApiMeans,
  projection: Projection,
  request: ReadRequest,
  ask: () => Promise<Answer<T>>,
  show: (answer: Extract<Answer<T>, { readonly kind: 'answer' }>) => Body | Problem,
): Promise<(Body & { readonly as_of: string }) | Problem> {
  const found = await askFrom(means, projection, minPositionOf(request), ask);
  if (found instanceof Problem) return found;
  const body = show(found);
  return body instanceof Problem ? body : { ...body, as_of: encodeCheckpoint(found.asOf) };
}

type Found<T> = Extract<Answer<T>, { readonly kind: 'answer' }>;

/** `ahead`: a read model that has not come as far as the question itself. */
type Asked<T> = Answer<T> | { readonly kind: 'ahead' };

/** Asks a read model; with a position, for an answer that covers it. What to say instead when there is none in time. */
export async function askFrom<T extends object>(
  means: PaymentsApiMeans,
  projection: Projection,
  minPosition: string | undefined,
  ask: () => Promise<Asked<T>>,
): Promise<Found<T> | Problem> {
  const answer = await asked(means, projection, minPosition, ask);
  if (answer instanceof Problem) return answer;
  if (answer.kind === 'answer') return answer as Found<T>;
  return problemOf({ kind: answer.kind === 'lost' ? 'lost' : 'late' }, projection);
}

async function asked<T extends object>(
  means: PaymentsApiMeans,
  projection: Projection,
  minPosition: string | undefined,
  ask: () => Promise<Asked<T>>,
): Promise<Asked<T> | Problem> {
  if (minPosition === undefined) return ask();
  const checkpoint = decodeCheckpoint(minPosition);
  if (!checkpoint) return invalidPosition();
  const read = await coveringAnswer<Asked<T>, Problem>(checkpoint, {
    ...{ clock: means.clock, visibleMsMax: visibleMsMaxOf(means), ask },
    wait: (msMax) => waitUntil(means, projection, checkpoint, msMax),
    coveredBy: (answer) => {
      if (answer.kind === 'ahead') return {};
      return answer.kind === 'answer' ? answer.asOf : undefined;
    },
  });
  return read === 'late' ? problemOf({ kind: 'late' }, projection) : read;
}

/** Waits until a read model has come to a position, where what is read comes from the log itself. */
export async function waitFor(
  means: PaymentsApiMeans,
  projection: Projection,
  minPosition: string | undefined,
): Promise<Problem | undefined> {
  if (minPosition === undefined) return undefined;
  const checkpoint = decodeCheckpoint(minPosition);
  if (!checkpoint) return invalidPosition();
  return waitUntil(means, projection, checkpoint, visibleMsMaxOf(means));
}

function visibleMsMaxOf({ visibleMsMax = limits.visibleMsMax }: PaymentsApiMeans): number {
  return visibleMsMax;
}

async function waitUntil(
  means: PaymentsApiMeans,
  projection: Projection,
  checkpoint: Checkpoint,
  msMax: number,
): Promise<Problem | undefined> {
  const readModel: Followed = means[readModelOf[projection]];
  let reached = await readModel.waitFor(checkpoint, 0);
  if (reached === 'late') {
    const ahead = await aheadOfLog(means, checkpoint);
    if (ahead) return ahead;
    reached = await readModel.waitFor(checkpoint, msMax);
  }
  return reached === 'reached' ? undefined : problemOf({ kind: reached }, projection);
}

function invalidPosition(): Problem {
  return logErrors.problem('invalid-position', {
    what: 'min-position is not a position of this log',
  });
}

/** Every position that was ever given is at or before the head: waiting for another one is in vain. */
async function aheadOfLog(
  { log, clock, replicaMsMax = 0 }: PaymentsApiMeans,
  checkpoint: Checkpoint,
): Promise<Problem | undefined> {
  // A process that reads a copy of the log may be a moment behind the one that wrote.
  for (let waitedMs = 0; ; waitedMs += limits.waitPollMs) {
    if (coversAll(await log.head(), checkpoint)) return undefined;
    if (waitedMs >= replicaMsMax) break;
    await clock.sleep(limits.waitPollMs);
  }
  return logErrors.problem('position-ahead', {
    what: 'min-position lies beyond the end of the log',
  });
}

export interface FoundCheckout {
  readonly checkout: Checkout;
  readonly asOf: string;
}

/**
 * A payment, with all of its orders or `only` one: from the read model, and from its own stream where that has not seen
 * it yet or is lost. So a payment that was answered for can be read at once, and whatever becomes of read models.
 */
export async function findCheckout(
  means: PaymentsApiMeans,
  request: ReadRequest,
  id: string,
  only?: string,
): Promise<FoundCheckout | Problem> {
  const found = await askFrom(means, 'payments', minPositionOf(request), () =>
    means.paymentsRead.checkout(id, only),
  );
  if (found instanceof Problem && found.status < 500) return found;
  if (!(found instanceof Problem) && found.checkout) {
    return { checkout: found.checkout, asOf: encodeCheckpoint(found.asOf) };
  }
  const { state, checkpoint } = await means.payments.checkout(id);
  if (!state) return unknownCheckout(id);
  return { checkout: state.checkout, asOf: encodeCheckpoint(checkpoint) };
}

export interface FoundOrderOfCheckout extends FoundCheckout {
  readonly order: OrderFold;
}

export async function findOrder(
  means: PaymentsApiMeans,
  request: ReadRequest,
  id: string,
  orderId: string,
): Promise<FoundOrderOfCheckout | Problem> {
  const found = await findCheckout(means, request, id, orderId);
  if (found instanceof Problem) return found;
  // An order is made with its checkout: where the one is known, so is the other.
  const order = found.checkout.orders.get(orderId);
  if (!order) {
    return paymentsErrors.problem('unknown-order', {
      what: `payment ${id} has no order ${orderId}`,
    });
  }
  return { ...found, order };
}

function unknownCheckout(id: string): Problem {
  return paymentsErrors.problem('unknown-checkout', { what: `there is no payment ${id}` });
}
