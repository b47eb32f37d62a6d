import type { Clock } from '@annals/core';
import { eventHash, LogHash } from './log-hash.ts';
import type { Checkpoint, EventLog, Revision, StoredEvent } from './port.ts';
import { type CarriedEvent, UnchangedWriter, type WriteRefusal } from './unchanged-writer.ts';

export interface CopyOptions {
  /** Stops the copy; the next one goes on from what is there. */
  readonly signal?: AbortSignal;
  readonly clock?: Pick<Clock, 'sleep'>;
  readonly onProgress?: (progress: CopyProgress) => void;
  /**
   * Everything in `from` up to the checkpoint has been copied. Goes on with new events when it resolves to true; asked
   * again each time it has caught up. Absent: it ends there.
   */
  readonly onCaughtUp?: (copied: Checkpoint) => boolean | Promise<boolean>;
}

export interface CopyProgress {
  /** Events of the first log that are in the second one. */
  readonly events: number;
  /** How many of them this copy has stored. */
  readonly added: number;
}

export type CopyRefusal =
  /** The second log holds events that are not, or not so, in the first one. Nothing was stored. */
  'foreign-log' | WriteRefusal;

export type CopyResult =
  | {
      readonly kind: 'copied';
      readonly events: number;
      readonly added: number;
      readonly hash: string;
    }
  | { readonly kind: 'aborted'; readonly events: number; readonly added: number }
  | { readonly kind: 'refused'; readonly reason: CopyRefusal; readonly detail: string };

type Heads = ReadonlyMap<string, Revision>;

/** What stands in the second log before anything is copied. */
interface Found {
  readonly heads: Heads;
  readonly hash: LogHash;
}

/**
 * Copies the events of `from` into `to`, whatever engines they are on: ids, order and revisions of each stream and both
 * times stay as they are, so both logs have one hash. Appends to `from` go on meanwhile. It keeps no state of its own: what
 * is in `to` says how far an earlier copy came, and is proven to be the beginning of each stream in `from` before anything
 * is stored. Memory: one number for each stream of `to`.
 */
export async function copyLog(
  from: EventLog,
  to: EventLog,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const copy = new Copy(from, to, options);
  return copy.run();
}

class Copy {
  readonly #from: EventLog;
  readonly #to: EventLog;
  readonly #options: CopyOptions;
  readonly #writer: UnchangedWriter;
  /** Of the events of `from` that are in `to`. */
  readonly #hash = new LogHash();
  /** All before it is in `to`, and in `#hash`. */
  #at: Checkpoint = {};

  constructor(from: EventLog, to: EventLog, options: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#writer = new UnchangedWriter(to, options.clock);
  }

  async run(): Promise<CopyResult> {
    const found = await this.#survey();
    if (this.#aborted) return this.#stopped();
    const isBeginning = await this.#isBeginning(found);
    if (this.#aborted) return this.#stopped();
    return isBeginning ? this.#follow(found.heads) : foreign(found.hash.events);
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** Reads all of `to`. */
  async #survey(): Promise<Found> {
    const heads = new Map<string, Revision>();
    const hash = new LogHash();
    let at: Checkpoint = {};
    while (!this.#aborted) {
      const page = await this.#to.read(at);
      for (const event of page.events) {
        hash.add(event);
        heads.set(event.stream, event.revision);
      }
      at = page.checkpoint;
      if (page.end) break;
    }
    return { heads, hash };
  }

  /**
   * Whether the events of `to` are in `from`, at the same revisions: the hashes of those that should be the same are
   * summed up. Also finds how far `from` is in `to` without a gap.
   */
  async #isBeginning({ heads, hash }: Found): Promise<boolean> {
    let at: Checkpoint = {};
    let whole = true;
    while (!this.#aborted && this.#hash.events < hash.events) {
      const page = await this.#from.read(at);
      for (const event of page.events) {
        if (isThere(heads, event)) this.#hash.add(event);
        else whole = false;
      }
      at = page.checkpoint;
      if (whole) this.#at = at;
      this.#tell();
      if (page.end) break;
    }
    return this.#hash.events === hash.events && this.#hash.digest() === hash.digest();
  }

  async #follow(heads: Heads): Promise<CopyResult> {
    const { signal, onCaughtUp } = this.#options;
    for await (const delivery of this.#from.subscribe(this.#at, {}, signal ? { signal } : {})) {
      if (delivery.kind === 'caught-up') {
        if (this.#aborted) break;
        if (await onCaughtUp?.(delivery.checkpoint)) continue;
        const hash = this.#hash.digest();
        return { kind: 'copied', ...this.#progress, hash };
      }
      const refused = await this.#carry(delivery.events, heads);
      if (refused) return refused;
      this.#at = delivery.checkpoint;
      this.#tell();
    }
    return this.#stopped();
  }

  async #carry(events: readonly StoredEvent[], heads: Heads): Promise<CopyResult | undefined> {
    const carried: CarriedEvent[] = [];
    for (const event of events) {
      if (isThere(heads, event)) continue;
      carried.push({ at: carried.length, event, hash: eventHash(event) });
    }
    const refused = await this.#writer.write(carried);
    if (refused) return { kind: 'refused', reason: refused.reason, detail: refused.detail };
    for (const { event, hash } of carried) this.#hash.add(event, hash);
    return undefined;
  }

  get #progress(): CopyProgress {
    return { events: this.#hash.events, added: this.#writer.added };
  }

  #tell(): void {
    this.#options.onProgress?.(this.#progress);
  }

  #stopped(): CopyResult {
    return { kind: 'aborted', ...this.#progress };
  }
}

/** What was in `to` before the copy is not carried again. */
function isThere(heads: Heads, { stream, revision }: StoredEvent): boolean {
  return revision <= (heads.get(stream) ?? -1);
}

function foreign(events: number): CopyResult {
  const detail =
    `the log to copy to holds ${events} events, and they are not the beginning of the log to copy: ` +
    'nothing was stored. Copy to a place that is empty, or that an earlier copy was made to';
  return { kind: 'refused', reason: 'foreign-log', detail };
}
