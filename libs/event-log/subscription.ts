import { coversAll } from './checkpoint.ts';
import { pageLimit } from './page-limit.ts';
import type { Checkpoint, Delivery, EventLog, Filter, Page } from './port.ts';

/** One look at a log. */
export interface Look {
  readonly page: Page;
  /** Resolves when there may be more than the page saw, when `signal` is aborted, and when the log is closed. */
  changed(signal: AbortSignal | undefined): Promise<void>;
}

/** The page strictly after `from`; undefined when the log was closed. */
export type LookAfter = (
  from: Checkpoint,
  filter: Filter,
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
  const after = (at: Checkpoint) => look(at, filter, limit);
  return { [Symbol.asyncIterator]: () => deliveries(after, from, options.signal) };
}

async function* deliveries(
  look: (at: Checkpoint) => Promise<Look | undefined>,
  from: Checkpoint,
  signal: AbortSignal | undefined,
): AsyncGenerator<Delivery, void, undefined> {
  let at = from;
  let said: Checkpoint | undefined;
  while (!signal?.aborted) {
    const seen = await look(at);
    if (!seen || signal?.aborted) return;
    const { page } = seen;
    at = page.checkpoint;
    if (page.events.length > 0) {
      said = undefined;
      yield { kind: 'events', events: page.events, checkpoint: at };
    }
    if (!page.end) {
      said = undefined;
      continue;
    }
    if (said === undefined || !coversAll(said, at)) {
      said = at;
      yield { kind: 'caught-up', checkpoint: at };
    }
    // What came since the look, while the consumer was busy, is not waited for.
    if (!signal?.aborted) await seen.changed(signal);
  }
}
