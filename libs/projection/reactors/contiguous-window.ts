import { advance, type Checkpoint, type Position } from '@annals/event-log';

interface Entry {
  readonly partition: number;
  readonly position: Position;
  settled: boolean;
}

/**
 * Events in the order they were read, settled in any order. The checkpoint only moves over the
 * contiguous settled prefix, so that no restart skips an effect that was still under way.
 */
export class ContiguousWindow {
  readonly #entries: Entry[] = [];
  #checkpoint: Checkpoint;

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  get size(): number {
    return this.#entries.length;
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** Adds the next event; the function returned settles it. */
  add(partition: number, position: Position): () => void {
    const entry: Entry = { partition, position, settled: false };
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
    for (const { partition, position } of settled) {
      this.#checkpoint = advance(this.#checkpoint, partition, position);
    }
  }
}
