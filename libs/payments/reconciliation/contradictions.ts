import { idFromKey } from '@annals/core';
import { type Decided, decided } from '../outcome.ts';
import type { Observed } from '../reactors/psp-hints.ts';
import { dayOf } from '../utc-days.ts';
import { storedBreak } from './correcting-entry.ts';
import { event, named, type OfDay } from './day-events.ts';
import { type SettlementEvent, settlementStream } from './events.ts';
import { reconciliationLimits as limits } from './limits.ts';
import { broken } from './match-key.ts';
import { change, type ReconciliationMeans } from './service.ts';
import type { SettlementDay } from './state.ts';

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

/** What a provider says of an object of its own that does not fit with our books. */
interface ToldOtherwise extends OfDay {
  /** Which object it is. */
  readonly kind: string;
  readonly id: string;
  readonly reason: string;
  readonly detail: string;
}

/** Said once for each object and reason, also where the object is heard of again after the break was closed. */
function recordContradiction(
  day: SettlementDay,
  { kind, id, reason, detail, ...of }: ToldOtherwise,
): Decided<SettlementEvent> {
  const words = ['contradiction', kind, id, reason];
  const break_id = idFromKey('break', of.psp, ...words);
  if (day.breaks.has(break_id)) return decided();
  const found = { ...broken('unidentified_row', id, undefined, undefined), detail };
  const data = { ...named(of), sha256: 'contradiction', breaks: [storedBreak(break_id, found)] };
  return decided(event('breaks-found', of, words, data));
}
