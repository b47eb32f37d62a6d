import {
  type Checkpoint,
  covers,
  type EventLog,
  type EventMark,
  type Filter,
  type Position,
  partitionsOf,
  type StoredEvent,
} from '@annals/event-log';

type Last = Pick<StoredEvent, 'id' | 'position' | 'recordedAt'>;

const unknown = '?';

/**
 * The last event of each partition that a share has read. It is kept with the checkpoint, so that a
 * log that went back (restored from an older backup) and has grown again since is told from the one
 * that the rows were folded from: other events stand at the same positions then. An event that was
 * sent again has its old id, but it is recorded at another time.
 */
export class LogTail {
  readonly #last = new Map<number, Last | typeof unknown>();

  /** `text` is what `upTo` gave. */
  constructor(text: string) {
    for (const entry of text === '' ? [] : text.split(',')) {
      const [partition, position, recordedAt, id] = entry.split(':') as [
        string,
        string,
        string?,
        string?,
      ];
      const isKnown = recordedAt !== undefined && id !== undefined;
      const last = isKnown ? { position, recordedAt: Number(recordedAt), id } : unknown;
      this.#last.set(Number(partition), last);
    }
  }

  /** Events in the order of the log. */
  take(events: readonly EventMark[]): void {
    for (const event of events) this.#last.set(event.partition, event);
  }

  /** As text, for a batch that ends at `to`. Which event is the last one up to there is unknown where a later one was read. */
  upTo(to: Checkpoint): string {
    const entries: string[] = [];
    for (const [partition, last] of this.#last) {
      const isKnown = last !== unknown && covers(to, partition, last.position);
      const text = isKnown ? `${last.position}:${last.recordedAt}:${last.id}` : unknown;
      entries.push(`${partition}:${text}`);
    }
    return entries.join(',');
  }

  /** Whether `found` is the last event read in a partition; undefined stands for none. */
  isLast(partition: number, found: StoredEvent | undefined): boolean {
    const last = this.#last.get(partition);
    if (last === unknown) return true;
    return (
      last?.position === found?.position &&
      last?.recordedAt === found?.recordedAt &&
      last?.id === found?.id
    );
  }
}

/**
 * Why this log is not the one that a share has read up to its checkpoint, as the end of a sentence;
 * undefined when it is. A few reads of one event each. Without `categories` all events were read.
 */
export async function divergence(
  log: Pick<EventLog, 'head' | 'read'>,
  categories: readonly string[] | undefined,
  { checkpoint, tail }: { readonly checkpoint: Checkpoint; readonly tail: string },
): Promise<string | undefined> {
  const partitions = partitionsOf(checkpoint);
  if (partitions.length === 0) return undefined;
  const read = new LogTail(tail);
  const head = await log.head();
  for (const partition of partitions) {
    const position = checkpoint[partition] as Position;
    if (!covers(head, partition, position)) {
      const end = head[partition] ?? 'the beginning';
      return `the log ends at ${end}, and it was made from one that went on to ${position}`;
    }
    const found = await lastUpTo(log, filterOf(categories, partition), partition, position);
    if (read.isLast(partition, found)) continue;
    return `the log has other events up to ${position} than those it was made from`;
  }
  return undefined;
}

/** The tail of one who has read the log up to `checkpoint`. */
export async function tailAt(
  log: Pick<EventLog, 'read'>,
  categories: readonly string[] | undefined,
  checkpoint: Checkpoint,
): Promise<LogTail> {
  const tail = new LogTail('');
  for (const partition of partitionsOf(checkpoint)) {
    const filter = filterOf(categories, partition);
    const last = await lastUpTo(log, filter, partition, checkpoint[partition] as Position);
    if (last) tail.take([last]);
  }
  return tail;
}

function filterOf(categories: readonly string[] | undefined, partition: number): Filter {
  return { ...(categories ? { categories } : {}), partitions: [partition] };
}

/** The last event at or before `position`: the one before the next. */
async function lastUpTo(
  log: Pick<EventLog, 'read'>,
  filter: Filter,
  partition: number,
  position: Position,
): Promise<StoredEvent | undefined> {
  let before: Checkpoint | 'end' = 'end';
  for (;;) {
    const found = await first(log, before, filter, 'backward');
    if (!found || found.position <= position) return found;
    // There are later ones: the next of them is where to look back from.
    const next = await first(log, { [partition]: position }, filter, 'forward');
    before = { [partition]: (next ?? found).position };
  }
}

/** A page that looks at many events to find one may come back empty before the end. */
async function first(
  log: Pick<EventLog, 'read'>,
  start: Checkpoint | 'end',
  filter: Filter,
  direction: 'forward' | 'backward',
): Promise<StoredEvent | undefined> {
  for (let from = start; ; ) {
    const page = await log.read(from, filter, { direction, limit: 1 });
    if (page.events[0] || page.end) return page.events[0];
    from = page.checkpoint;
  }
}
