import type { Observed } from '../reactors/psp-hints.ts';
import { dayOf } from '../utc-days.ts';
import { recordContradiction } from './decide.ts';
import { settlementStream } from './events.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { change, type ReconciliationMeans } from './service.ts';

export interface Contradiction {
  /** The object as the provider has it. */
  readonly object: Observed;
  /** Our stream that it does not fit with. */
  readonly stream: string;
  /** Why it is not booked: a stable reason, and what stands here. */
  readonly reason: string;
  readonly detail: string;
}

/**
 * Keeps what a provider says of an object that does not fit with our books, for a person: a break in the special queue, of the
 * day on which our stream began, so that it is one however often, and by whom, it is heard. Throws ReconciliationLogError
 * where it cannot be stored.
 */
export async function keepContradiction(
  means: ReconciliationMeans,
  { object, stream, reason, detail }: Contradiction,
): Promise<void> {
  const at = means.clock.now();
  const { events } = await means.log.readStream(stream, { limit: 1 });
  // A stream that there is not has no day: then it is the day on which it is heard.
  const date = dayOf(events[0]?.occurredAt ?? at);
  const { kind, value } = object;
  const { psp, id } = value;
  const said = `${psp} says ${saidOf(object)}; ${stream}: ${reason}: ${detail}`;
  await change(means, settlementStream(psp, date), (day) =>
    recordContradiction(day, {
      ...{ psp, date, at, kind, id, reason },
      detail: `${kind} ${id}: ${said}`.slice(0, limits.commentCharsMax),
    }),
  );
}

function saidOf({ value }: Observed): string {
  const { status } = value;
  return 'amount' in value ? `${status}, ${value.amount.amount} ${value.amount.currency}` : status;
}
