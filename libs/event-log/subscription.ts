import { coversAll } from './checkpoint.ts';
import { pageLimit } from './page-limit.ts';
import type { Checkpoint, Delivery, EventLog, EventMark, Filter, Page, PassOver } from './port.ts';

/** What a subscriber wants to see. */
export interface Wanted extends Filter {
  readonly passOver?: PassOver;
}

/** A page of what is wanted. */
export interface WantedPage extends Page {
  /** The last event in each partition that was passed over, where none of the filter's is behind it up to the checkpoint. */
  readonly passed?: readonly EventMark[];
}

/** One look at a log. */
export interface Look {
  readonly page: WantedPage;
  /** Resolves when there may be more than the page saw, when `signal` is aborted, and when the log is closed. */
  changed(signal: AbortSignal | undefined): Promise<void>;
}

/** The page strictly after `from`; undefined when the log was closed. */
export type LookAfter = (
  from: Checkpoint,
  wanted: Wanted,
  limit: number,
) => Promise<Look | undefined>;

/**
 * What `EventLog.subscribe` returns, for every log that can read pages and tell when there may be more:
 * catches up, says so once for each time, waits. Pulled: the next page is read when the consumer asks.
 */
export function subscription(
  look: LookAfter,
  ...[from, filter = {}, options = {}]: Parameters<EventLog['subscribe']>
): AsyncIterable<Delivery> {
  const limit = pageLimit(options.limit);
  const { passOver } = options;
  const wanted = passOver ? { ...filter, passOver } : filter;
  const after = (at: Checkpoint) => look(at, wanted, limit);
  return { [Symbol.asyncIterator]: () => deliveries(after, from, options.signal) };
}

async function* deliveries(
  look: (at: Checkpoint) => Promise<Look | undefined>,
  from: Checkpoint,
  signal: AbortSignal | undefined,
): AsyncGenerator<Delivery, void, undefined> {
  let at = from;
  let said: Checkpoint | undefined;
  const passed = new Passed();
  while (!signal?.aborted) {
    const seen = await look(at);
    if (!seen || signal?.aborted) return;
    const { page } = seen;
    at = page.checkpoint;
    passed.take(page);
    if (page.events.length > 0) {
      said = undefined;
      yield { kind: 'events', events: page.events, checkpoint: at, ...passed.told() };
    }
    if (!page.end) {
      said = undefined;
      continue;
    }
    if (said === undefined || !coversAll(said, at)) {
      said = at;
      yield { kind: 'caught-up', checkpoint: at, ...passed.told() };
    }
    // What came since the look, while the consumer was busy, is not waited for.
    if (!signal?.aborted) await seen.changed(signal);
  }
}

/** What was passed over since it was told last, also on pages that had nothing to deliver. */
class Passed {
  readonly #marks = new Map<number, EventMark>();

  take({ events, passed = [] }: WantedPage): void {
    if (this.#marks.size > 0) for (const { partition } of events) this.#marks.delete(partition);
    for (const mark of passed) this.#marks.set(mark.partition, mark);
  }

  told(): { readonly passed?: readonly EventMark[] } {
    if (this.#marks.size === 0) return {};
    const passed = [...this.#marks.values()];
    this.#marks.clear();
    return { passed };
  }
}
