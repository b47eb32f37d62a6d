import type { StoredEvent } from '@annals/event-log/port';

/** An event at the end of a file. */
export interface RecentEvent {
  readonly position: number;
  readonly kind: number;
  readonly event: StoredEvent;
}

/** Reads what is in a range of positions, and of these kinds, in order; undefined where that is too much to be kept. */
export type ReadRange = (
  range: { readonly after: number; readonly last: number },
  kinds: readonly number[],
) => readonly RecentEvent[] | undefined;

/** Events that are kept, and UTF-16 units of their data; each may come to twice that for a moment. */
const keptMax = 500;
const keptUnitsMax = 500_000;

/**
 * The events at the end of a file that its subscribers want. All of them are woken together and ask for much the same
 * range: each event is read once for all. Events never change, so nothing that is kept can be out of date.
 */
export class RecentEvents {
  readonly #read: ReadRange;
  /** It holds what there is of `#kinds` with `#after` < position <= `#last`. */
  #after = 0;
  #last = 0;
  #kinds = new Set<number>();
  #events: RecentEvent[] = [];
  #units = 0;

  constructor(read: ReadRange) {
    this.#read = read;
  }

  /** All events of these kinds with `after` < position <= `last`, in order; undefined where they are too much to be kept. */
  range(after: number, last: number, kinds: readonly number[]): readonly RecentEvent[] | undefined {
    this.#reach(after, kinds);
    if (last > this.#last) {
      const more = this.#read({ after: this.#last, last }, [...this.#kinds]);
      if (!more) return undefined;
      this.#events.push(...more);
      for (const { event } of more) this.#units += event.data.length;
      this.#last = last;
    }
    const wanted = this.#events.filter(
      ({ position, kind }) => position > after && position <= last && kinds.includes(kind),
    );
    this.#trim();
    return wanted;
  }

  /** Begins anew where what is kept does not begin early enough, or leaves kinds out. */
  #reach(after: number, kinds: readonly number[]): void {
    const isWithin = after >= this.#after && after <= this.#last;
    const isOfKinds = kinds.every((kind) => this.#kinds.has(kind));
    if (isWithin && isOfKinds) return;
    this.#kinds = new Set(isWithin ? [...this.#kinds, ...kinds] : kinds);
    this.#events = [];
    this.#units = 0;
    this.#after = after;
    this.#last = after;
  }

  #trim(): void {
    if (this.#events.length <= 2 * keptMax && this.#units <= 2 * keptUnitsMax) return;
    let kept = this.#events.length;
    while (kept > keptMax || (kept > 0 && this.#units > keptUnitsMax)) {
      this.#units -= (this.#events[this.#events.length - kept] as RecentEvent).event.data.length;
      kept -= 1;
    }
    const dropped = this.#events.splice(0, this.#events.length - kept);
    this.#after = dropped.at(-1)?.position ?? this.#after;
  }
}
