import { type Checkpoint, covers, type Position } from '@annals/event-log';

/** Somebody who waits until a checkpoint is reached. */
export interface Waiter {
  readonly checkpoint: Checkpoint;
  /** In the poller's own time, milliseconds. */
  readonly deadline: number;
  settle(outcome: 'reached' | 'timeout' | 'lost'): void;
  fail(error: unknown): void;
}

interface Place {
  readonly position: Position;
  readonly waiter: Waiter;
}

/**
 * Waiters in order of what they wait for, so that each look at the checkpoint costs only those it
 * lets go, however many thousands wait. A waiter stands in the line of one partition at a time.
 */
export class WaitingLine {
  /** Partition → places by position. */
  readonly #lines = new Map<number, Place[]>();
  readonly #waiters = new Set<Waiter>();
  #places = 0;

  get size(): number {
    return this.#waiters.size;
  }

  /** Waits in the line from `reached` on. An aborted wait is a `timeout`. */
  wait(
    { checkpoint, deadline }: Pick<Waiter, 'checkpoint' | 'deadline'>,
    reached: Checkpoint,
    signal: AbortSignal | undefined,
  ): Promise<'reached' | 'timeout' | 'lost'> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.remove(waiter);
        resolve('timeout');
      };
      const done = () => signal?.removeEventListener('abort', abort);
      const waiter: Waiter = {
        checkpoint,
        deadline,
        settle: (outcome) => {
          done();
          resolve(outcome);
        },
        fail: (error) => {
          done();
          reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.add(waiter, reached);
    });
  }

  /** Settles at once when `reached` covers what it waits for. */
  add(waiter: Waiter, reached: Checkpoint): void {
    this.#waiters.add(waiter);
    this.#stand(waiter, reached);
  }

  /** Takes somebody out who no longer waits. */
  remove(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  advance(reached: Checkpoint): void {
    for (const [partition, line] of this.#lines) {
      const position = reached[partition];
      if (position === undefined) continue;
      const first = line.findIndex((place) => place.position > position);
      const passed = line.splice(0, first < 0 ? line.length : first);
      this.#places -= passed.length;
      if (line.length === 0) this.#lines.delete(partition);
      for (const { waiter } of passed) {
        if (this.#waiters.has(waiter)) this.#stand(waiter, reached);
      }
    }
  }

  /** Lets go those whose time is over. */
  expire(now: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.deadline <= now) this.#settle(waiter, 'timeout');
    }
    if (this.#places > 2 * this.#waiters.size + vacantPlacesMax) this.#closeRanks();
  }

  /** Those who left keep their places until somebody passes them; where nothing moves, they add up. */
  #closeRanks(): void {
    this.#places = 0;
    for (const [partition, line] of this.#lines) {
      const kept = line.filter(({ waiter }) => this.#waiters.has(waiter));
      this.#places += kept.length;
      if (kept.length === 0) this.#lines.delete(partition);
      else this.#lines.set(partition, kept);
    }
  }

  settleAll(outcome: 'timeout' | 'lost'): void {
    for (const waiter of this.#waiters) this.#settle(waiter, outcome);
    this.#lines.clear();
    this.#places = 0;
  }

  failAll(error: unknown): void {
    for (const waiter of this.#waiters) waiter.fail(error);
    this.#waiters.clear();
    this.#lines.clear();
    this.#places = 0;
  }

  /** In the line of the first partition that is not reached yet. */
  #stand(waiter: Waiter, reached: Checkpoint): void {
    for (const [key, position] of Object.entries(waiter.checkpoint)) {
      const partition = Number(key);
      if (covers(reached, partition, position)) continue;
      const line = this.#lines.get(partition) ?? [];
      this.#lines.set(partition, line);
      // Positions mostly come in rising order, so the place is at the end or near it.
      let at = line.length;
      while (at > 0 && (line[at - 1] as Place).position > position) at -= 1;
      line.splice(at, 0, { position, waiter });
      this.#places += 1;
      return;
    }
    this.#settle(waiter, 'reached');
  }

  #settle(waiter: Waiter, outcome: 'reached' | 'timeout' | 'lost'): void {
    if (this.#waiters.delete(waiter)) waiter.settle(outcome);
  }
}

const vacantPlacesMax = 1_000;
