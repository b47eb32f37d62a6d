import type { FindQuery, Psp, PspHint, PspObjectKind, PspObjects } from '../psp/port.ts';

/**
 * What happened at a provider without a call of ours: a webhook is a hint to look, and the sweep looks where no
 * webhook came. Both fetch the object and hand it to the domain, which decides by the object alone.
 */

export type Observed = {
  readonly [Kind in PspObjectKind]: { readonly kind: Kind; readonly value: PspObjects[Kind] };
}[PspObjectKind];

export interface ObserverMeans {
  readonly psp: (name: string) => Psp | undefined;
  /**
   * Lets the domain decide by the object; `unchanged` where it brings nothing new, `later` where it can only be booked
   * after something else has come to its end. Throws when it can't write.
   */
  readonly observe: (object: Observed) => Promise<Hinted>;
}

export type Hinted =
  | 'changed'
  | 'unchanged'
  /** The object is none of this platform. */
  | 'not_ours'
  /** The provider did not answer, or it is too early to book what it says: to be looked at again. */
  | 'later';

/** Fetches what a hint speaks of. The same hint twice, or in another order, comes to the same. */
export async function followHint(
  means: ObserverMeans,
  { psp: name, object }: Pick<PspHint, 'psp' | 'object'>,
): Promise<Hinted> {
  const found = await means.psp(name)?.retrieve(object.kind, object.id);
  if (!found) return 'not_ours';
  if (found.kind === 'answered') {
    return means.observe({ kind: object.kind, value: found.value } as Observed);
  }
  return found.kind === 'refused' && found.reason === 'not_found' ? 'not_ours' : 'later';
}

export const hintLimits = {
  /** Ids of events that are remembered; a duplicate beyond them only costs a look. */
  eventsMax: 10_000,
} as const;

/** Knows the last events by their ids, so that duplicates cost nothing. What is decided does not depend on it. */
export class HintFilter {
  readonly #seen = new Set<string>();

  /** False for an event that was followed to its end before. */
  isNew({ psp, eventId }: PspHint): boolean {
    return !this.#seen.has(`${psp} ${eventId}`);
  }

  /** After it was followed, not before: what failed in between has to be followed again. */
  remember({ psp, eventId }: PspHint): void {
    this.#seen.add(`${psp} ${eventId}`);
    const [oldest] = this.#seen;
    if (this.#seen.size > hintLimits.eventsMax && oldest !== undefined) this.#seen.delete(oldest);
  }
}

/** What waits for a word of its provider: an object by its id, or a refund of which only our reference is known. */
export type Waiting =
  | { readonly psp: string; readonly object: PspHint['object'] }
  | { readonly psp: string; readonly refund: FindQuery };

export interface Swept {
  readonly looked: number;
  readonly changed: number;
  readonly later: number;
}

/** Looks at everything that waits for a word of its provider: a webhook may never come. */
export async function sweep(
  means: ObserverMeans,
  waiting: Iterable<Waiting> | AsyncIterable<Waiting>,
  signal: AbortSignal,
): Promise<Swept> {
  let [looked, changed, later] = [0, 0, 0];
  for await (const one of waiting) {
    if (signal.aborted) break;
    const hinted = 'object' in one ? await followHint(means, one) : await findRefund(means, one);
    looked += 1;
    if (hinted === 'changed') changed += 1;
    if (hinted === 'later') later += 1;
  }
  return { looked, changed, later };
}

/** A refund that is not there says nothing: its call may still be on its way, and its executor knows. */
async function findRefund(
  means: ObserverMeans,
  { psp: name, refund }: Extract<Waiting, { readonly refund: FindQuery }>,
): Promise<Hinted> {
  const found = await means.psp(name)?.find('refund', refund);
  if (!found) return 'not_ours';
  if (found.kind === 'found') return means.observe({ kind: 'refund', value: found.value });
  return found.kind === 'not_found' || found.kind === 'ambiguous' ? 'unchanged' : 'later';
}
