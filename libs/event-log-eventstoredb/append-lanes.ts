import { within } from '@annals/core/within';
import type { AppendResult } from '@annals/event-log';
import { AppendTurn } from './append-turn.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';

/**
 * Appends of this process to one stream go one behind the other, so that they do not overtake each
 * other; those to different streams side by side. Each is answered in its time, also when those before
 * it are not.
 */
export class AppendLanes {
  readonly #lanes = new Map<string, Promise<unknown>>();
  #depth = 0;
  #bytes = 0;
  /** When the last one was stored. */
  #storedAt = Number.NEGATIVE_INFINITY;

  get depth(): number {
    return this.#depth;
  }

  async run(
    stream: string,
    bytes: number,
    append: (turn: AppendTurn) => Promise<AppendResult>,
  ): Promise<AppendResult> {
    if (this.#depth >= limits.queueAppendsMax || this.#bytes + bytes > limits.queueBytesMax) {
      const detail = `${this.#depth} appends of ${this.#bytes} bytes are waiting`;
      return { kind: 'refused', reason: 'overloaded', detail };
    }
    this.#depth += 1;
    this.#bytes += bytes;
    const turn = new AppendTurn(() => performance.now() - this.#storedAt < limits.servedMsMax);
    const before = this.#lanes.get(stream) ?? Promise.resolve();
    const answer = before.then(async () => {
      if (turn.isOver) return turn.late();
      const result = await append(turn);
      // A duplicate may be known without the server.
      if (result.kind === 'stored' && !result.duplicate) this.#storedAt = performance.now();
      return result;
    });
    // One that was answered too late counts until it is out of the way.
    const ended = answer
      .catch(() => undefined)
      .then(() => {
        this.#depth -= 1;
        this.#bytes -= bytes;
        if (this.#lanes.get(stream) === ended) this.#lanes.delete(stream);
      });
    this.#lanes.set(stream, ended);
    return within(answer, turn.msLeft, () => turn.late());
  }

  /** Resolves when no append is waiting or under way. */
  async idle(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all(this.#lanes.values());
  }
}
