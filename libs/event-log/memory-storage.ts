import { judgeAppend, type KnownEvent, storedMetadata } from './append-rules.ts';
import type {
  AppendResult,
  Checkpoint,
  Expected,
  Metadata,
  NewEvent,
  Position,
  StoredEvent,
} from './port.ts';

interface MemoryStream {
  readonly events: StoredEvent[];
  readonly known: Map<string, KnownEvent>;
}

/**
 * What a twin keeps when its process is gone: the "disk". Several twins may share one storage, as
 * several processes share one log. A stream lives in the partition its name hashes to.
 */
export class MemoryStorage {
  readonly partitions: number;
  readonly #logs: StoredEvent[][];
  readonly #streams = new Map<string, MemoryStream>();
  readonly #watchers = new Set<() => void>();

  constructor(options: { readonly partitions?: number } = {}) {
    this.partitions = options.partitions ?? 1;
    if (!Number.isSafeInteger(this.partitions) || this.partitions < 1) {
      throw new RangeError(`a log has 1 partition or more, not ${options.partitions}`);
    }
    this.#logs = Array.from({ length: this.partitions }, () => []);
  }

  /** A copy that goes its own way from here: what a backup taken now holds. */
  snapshot(): MemoryStorage {
    const copy = new MemoryStorage({ partitions: this.partitions });
    for (const [partition, log] of this.#logs.entries()) copy.#logs[partition] = [...log];
    for (const [name, { events, known }] of this.#streams) {
      copy.#streams.set(name, { events: [...events], known: new Map(known) });
    }
    return copy;
  }

  /** The events of `partition` in log order. Grows in place; never changed by a reader. */
  log(partition: number): readonly StoredEvent[] {
    return this.#logs[partition] ?? [];
  }

  stream(name: string): readonly StoredEvent[] {
    return this.#streams.get(name)?.events ?? [];
  }

  /** The last position of each partition that has an event, among its first `visible` events. */
  head(visible: (partition: number) => number): Checkpoint {
    const head: { [partition: number]: Position } = {};
    for (const partition of this.#logs.keys()) {
      const last = this.log(partition)[visible(partition) - 1];
      if (last) head[partition] = last.position;
    }
    return head;
  }

  /** Stores all of `events` or none, in one step. `checkAppend` has let them through. */
  append(
    name: string,
    events: readonly NewEvent[],
    expected: Expected,
    recordedAt: number,
  ): AppendResult {
    const stream = this.#streams.get(name) ?? { events: [], known: new Map() };
    const head = stream.events.length === 0 ? 'no-stream' : stream.events.length - 1;
    const view = { head, known: (id: string) => stream.known.get(id) } as const;
    const verdict = judgeAppend(view, events, expected);
    if (verdict.kind === 'duplicate') {
      return storedAt(stream.events[verdict.lastRevision], true);
    }
    if (verdict.kind !== 'accept') return verdict;
    const partition = partitionOf(name, this.partitions);
    this.#streams.set(name, stream);
    for (const event of events) this.#store(name, stream, partition, event, recordedAt);
    for (const watcher of [...this.#watchers]) watcher();
    return storedAt(stream.events.at(-1), false);
  }

  /** Calls `watcher` after each append that stored something, until the function it returns is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #store(
    name: string,
    stream: MemoryStream,
    partition: number,
    event: NewEvent,
    recordedAt: number,
  ): void {
    const log = this.#logs[partition] as StoredEvent[];
    const revision = stream.events.length;
    const stored: StoredEvent = Object.freeze({
      id: event.id,
      type: event.type,
      schemaVersion: event.schemaVersion,
      data: event.data,
      contentHash: event.contentHash,
      metadata: event.metadata ? Object.freeze(storedMetadata(event.metadata)) : noMetadata,
      occurredAt: event.occurredAt,
      recordedAt: event.recordedAt ?? recordedAt,
      stream: name,
      revision,
      partition,
      position: positionAfter(log, partition),
    });
    log.push(stored);
    stream.events.push(stored);
    stream.known.set(event.id, { revision, contentHash: event.contentHash });
  }
}

const noMetadata: Metadata = Object.freeze({});

/** The index of the first event of `log` whose position is `position` or later. */
export function indexAtOrAfter(log: readonly StoredEvent[], position: Position): number {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log[middle] as StoredEvent).position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A position just behind `position`, before every later one: longer text compares as later. */
export function justAfter(position: Position): Position {
  return `${position}.`;
}

const positionDigits = 16;

/** Steps of 1 to 11, and another beginning in each partition, so that nobody can count on dense numbers. */
function positionAfter(log: readonly StoredEvent[], partition: number): Position {
  const last = log.at(-1);
  const step = 1 + ((log.length * 7 + partition * 3) % 11);
  return String((last ? Number(last.position) : 0) + step).padStart(positionDigits, '0');
}

/** FNV-1a (draft-eastlake-fnv-17 §2) over UTF-16 code units: spread is all that is asked of it. */
function partitionOf(stream: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < stream.length; index += 1) {
    hash = Math.imul(hash ^ stream.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % partitions;
}

function storedAt(event: StoredEvent | undefined, duplicate: boolean): AppendResult {
  if (!event) throw new Error('the verdict names a revision that the stream does not have');
  const { revision, partition, position, recordedAt } = event;
  return { kind: 'stored', revision, partition, position, recordedAt, duplicate };
}
