import type { Checkpoint, EventLog, StoredEvent } from '@annals/event-log';

type Read = Pick<EventLog, 'head' | 'read' | 'readStream'>;

/**
 * Where in `copy` all events stand before which `old` has them up to `checkpoint`, by their ids: positions of two logs have
 * nothing in common, and an order between streams need not be the same. As an error: why it is no copy.
 *
 * `copy` holds the events of `old` first, in each of its partitions, and then its own (`copyLog` sees to that). So what is
 * done of a partition ends before the first of its events that `old` has after `checkpoint`; where there is none, with the
 * last that `old` has at all. Costs a read of one event for each one that is not done.
 */
export async function placeInCopy(
  old: Read,
  copy: Read,
  categories: readonly string[] | undefined,
  checkpoint: Checkpoint,
): Promise<Checkpoint | { readonly problem: string }> {
  const firstUndone = new Map<number, StoredEvent>();
  for await (const event of eventsAfter(old, checkpoint, categories)) {
    const same = await found(copy, event);
    if (!same) return { problem: `it has no event ${event.id}: finish the copy first` };
    const first = firstUndone.get(same.partition);
    if (!first || same.position < first.position) firstUndone.set(same.partition, same);
  }
  const place: { [partition: number]: string } = {};
  for (const partition of Object.keys(await copy.head()).map(Number)) {
    const undone = firstUndone.get(partition);
    const before = undone ? { [partition]: undone.position } : 'end';
    const last = await lastOfOld(old, copy, partition, before);
    if (last) place[partition] = last.position;
  }
  if (Object.keys(place).length === 0 && firstUndone.size === 0) {
    return { problem: 'it has none of the events' };
  }
  return place;
}

async function* eventsAfter(
  log: Read,
  checkpoint: Checkpoint,
  categories: readonly string[] | undefined,
): AsyncGenerator<StoredEvent> {
  const filter = categories ? { categories } : {};
  for (let from = checkpoint; ; ) {
    const page = await log.read(from, filter);
    yield* page.events;
    if (page.end) return;
    from = page.checkpoint;
  }
}

/** The last event of a partition of `copy` before a place that `old` has, too. */
async function lastOfOld(
  old: Read,
  copy: Read,
  partition: number,
  before: Checkpoint | 'end',
): Promise<StoredEvent | undefined> {
  for (let from = before; ; ) {
    const page = await copy.read(from, { partitions: [partition] }, { direction: 'backward' });
    for (const event of page.events) if (await found(old, event)) return event;
    if (page.end) return undefined;
    from = page.checkpoint;
  }
}

/** The same event in another log: a copy has it at the same revision of its stream. */
async function found(log: Read, event: StoredEvent): Promise<StoredEvent | undefined> {
  const { stream, revision, id } = event;
  const { events } = await log.readStream(stream, { from: revision, limit: 1 });
  const [one] = events;
  return one?.id === id && one.recordedAt === event.recordedAt ? one : undefined;
}
