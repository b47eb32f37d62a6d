import { advance, type Checkpoint, type Position } from '@annals/event-log';

/** Where an event stands, in its stream and in the log. */
export interface Place {
  readonly stream: string;
  readonly revision: number;
  readonly partition: number;
  readonly position: Position;
}

interface Entry {
  readonly place: Place;
  settled: boolean;
}

/**
 * Events in the order they were read, settled in any order. The checkpoint only moves over the
 * contiguous settled prefix, so that no restart skips an effect that was still under way.
 */
export class ContiguousWindow {
  readonly #entries: Entry[] = [];
  #checkpoint: Checkpoint;
  #last: Place | null;

  constructor(checkpoint: Checkpoint, last: Place | null) {
    this.#checkpoint = checkpoint;
    this.#last = last;
  }

  /** The last event of the settled prefix. */
  get last(): Place | null {
    return this.#last;
  }

  get size(): number {
    return this.#entries.length;
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** Adds the next event; the function returned settles it. */
  add({ stream, revision, partition, position }: Place): () => void {
    const entry: Entry = { place: { stream, revision, partition, position }, settled: false };
    this.#entries.push(entry);
    return () => {
      entry.settled = true;
      this.#advance();
    };
  }

  /** Moves past events that a filter left out: only when nothing is under way. */
  skipTo(checkpoint: Checkpoint): void {
    if (this.#entries.length === 0) this.#checkpoint = checkpoint;
  }

  #advance(): void {
    const firstOpen = this.#entries.findIndex((entry) => !entry.settled);
    const settled = this.#entries.splice(0, firstOpen < 0 ? this.#entries.length : firstOpen);
    for (const { place } of settled) {
      this.#checkpoint = advance(this.#checkpoint, place.partition, place.position);
      this.#last = place;
    }
  }
}
