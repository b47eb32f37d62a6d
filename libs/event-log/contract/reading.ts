import { expect } from 'vitest';
import { advance, covers, coversAll, sameCheckpoint } from '../checkpoint.ts';
import type {
  Checkpoint,
  Delivery,
  Direction,
  EventLog,
  Filter,
  Page,
  StoredEvent,
} from '../port.ts';

/** Longest time a test waits for what must come. */
export const waitMsMax = 20_000;

/**
 * Pages through the log until `end`, checking on the way what holds for every page: it keeps the
 * limit, a forward page's checkpoint covers its events, and a page that is not the last one moves on.
 */
export async function pagesOf(
  log: EventLog,
  from: Checkpoint | 'start' | 'end',
  filter: Filter = {},
  options: { readonly direction?: Direction; readonly limit?: number } = {},
): Promise<Page[]> {
  const pages: Page[] = [];
  let at = from;
  for (;;) {
    const page = await log.read(at, filter, options);
    pages.push(page);
    expect(page.events.length).toBeLessThanOrEqual(options.limit ?? 1_000);
    if (options.direction !== 'backward') {
      expect(coversAll(page.checkpoint, checkpointOf(page.events))).toBe(true);
    }
    if (page.end) return pages;
    expect(typeof at === 'string' || !sameCheckpoint(at, page.checkpoint)).toBe(true);
    at = page.checkpoint;
  }
}

export async function readAll(
  log: EventLog,
  filter: Filter = {},
  options: { readonly limit?: number } = {},
): Promise<StoredEvent[]> {
  return (await pagesOf(log, 'start', filter, options)).flatMap((page) => page.events);
}

export async function readWholeStream(log: EventLog, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (;;) {
    const page = await log.readStream(stream, { from: events.length });
    events.push(...page.events);
    if (page.head === 'no-stream' || events.length > page.head) return events;
    expect(page.events.length).toBeGreaterThan(0);
  }
}

/** The checkpoint of a reader that has seen exactly `events`. */
export function checkpointOf(events: readonly StoredEvent[]): Checkpoint {
  return events.reduce<Checkpoint>(
    (checkpoint, event) => advance(checkpoint, event.partition, event.position),
    {},
  );
}

/** Positions strictly increase within each partition. */
export function expectLogOrder(events: readonly StoredEvent[]): void {
  let seen: Checkpoint = {};
  for (const { partition, position } of events) {
    expect(covers(seen, partition, position)).toBe(false);
    seen = advance(seen, partition, position);
  }
}

/** Each stream's revisions are 0, 1, 2, … and come in this order. */
export function expectNoGaps(events: readonly StoredEvent[]): void {
  const next = new Map<string, number>();
  for (const { stream, revision } of events) {
    expect([stream, revision]).toEqual([stream, next.get(stream) ?? 0]);
    next.set(stream, revision + 1);
  }
}

export function ids(events: readonly { readonly id: string }[]): string[] {
  return events.map((event) => event.id);
}

export function sortedIds(events: readonly { readonly id: string }[]): string[] {
  return ids(events).sort();
}

/** Pulls deliveries until `enough` says so, and hands back all of them; the subscription is then left. */
export async function pullUntil(
  subscription: AsyncIterable<Delivery>,
  enough: (delivery: Delivery, all: readonly Delivery[]) => boolean,
): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  const pulling = (async () => {
    for await (const delivery of subscription) {
      deliveries.push(delivery);
      if (enough(delivery, deliveries)) return;
    }
    throw new Error('the subscription ended too early');
  })();
  await within(pulling, () => `waiting for more than ${deliveries.length} deliveries`);
  return deliveries;
}

export function eventsOf(deliveries: readonly Delivery[]): StoredEvent[] {
  return deliveries.flatMap((delivery) => (delivery.kind === 'events' ? delivery.events : []));
}

/** `promise`, or an error that says what was waited for when it takes longer than `longestMs`. */
export async function within<T>(
  promise: Promise<T>,
  what: () => string,
  longestMs = waitMsMax,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave up ${what()}`)), longestMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again and again until `ask` gives true. */
export async function eventually(ask: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + waitMsMax;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`gave up waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
