import type { Clock, SubjectCipher } from '@annals/core';
import type { Checkpoint, EventLog, StoredEvent } from '@annals/event-log';
import { boardEvents } from './events.ts';
import { type BoardState, evolveBoard } from './state.ts';
import { boardStream } from './streams.ts';

/**
 * Settings and closed periods of all boards, in memory. It follows category `board` of the log in the
 * background, so it may be a moment behind other processes; nothing rests on its being up to date:
 * settings never change, and a score for a period that was closed meanwhile is void by the fold.
 */
export interface BoardDirectory {
  /** The board, asked of the log itself when it is not known here yet. */
  board(id: string): Promise<BoardState | undefined>;
  /** The board as its stream says now. */
  refresh(id: string): Promise<BoardState | undefined>;
  /** All boards known here, by id. */
  boards(): ReadonlyMap<string, BoardState>;
  /** Resolves when all that was in the log at the start has been read. */
  ready(): Promise<void>;
  /** What keeps the follower from the log just now: it tries again by itself. */
  problem(): unknown;
  /** Stops following. */
  close(): Promise<void>;
}

export const boardDirectoryLimits = {
  /** Waits between attempts to follow the log: from the first, doubled each time, to the last. */
  backoffMsMin: 100,
  backoffMsMax: 10_000,
  /** Events in one read of a board's stream. */
  pageEventsMax: 1_000,
} as const;

export interface BoardDirectoryMeans {
  readonly log: Pick<EventLog, 'subscribe' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly clock: Pick<Clock, 'sleep'>;
}

export function followBoards(means: BoardDirectoryMeans): BoardDirectory {
  const directory = new Directory(means);
  directory.follow();
  return directory;
}

class Directory implements BoardDirectory {
  readonly #means: BoardDirectoryMeans;
  readonly #boards = new Map<string, BoardState>();
  readonly #caughtUp = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #checkpoint: Checkpoint = {};
  #problem: unknown;

  constructor(means: BoardDirectoryMeans) {
    this.#means = means;
  }

  follow(): void {
    this.#following = this.#followUntilStopped();
  }

  async board(id: string): Promise<BoardState | undefined> {
    return this.#boards.get(id) ?? (await this.refresh(id));
  }

  async refresh(id: string): Promise<BoardState | undefined> {
    const limit = boardDirectoryLimits.pageEventsMax;
    for (let from = 0; ; from += limit) {
      const page = await this.#means.log.readStream(boardStream(id), { from, limit });
      // Events that the follower brings again change nothing.
      await this.#apply(page.events);
      if (page.events.length < limit) return this.#boards.get(id);
    }
  }

  boards(): ReadonlyMap<string, BoardState> {
    return this.#boards;
  }

  ready(): Promise<void> {
    return this.#caughtUp.promise;
  }

  problem(): unknown {
    return this.#problem;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async #followUntilStopped(): Promise<void> {
    const { signal } = this.#stop;
    let backoffMs: number = boardDirectoryLimits.backoffMsMin;
    while (!signal.aborted) {
      try {
        for await (const delivery of this.#deliveries()) {
          if (delivery.kind === 'events') await this.#apply(delivery.events);
          else this.#caughtUp.resolve();
          this.#checkpoint = delivery.checkpoint;
          this.#problem = undefined;
          backoffMs = boardDirectoryLimits.backoffMsMin;
        }
        // Ended quietly: this directory or the log was closed.
        return;
      } catch (error) {
        this.#problem = error;
        await this.#means.clock.sleep(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, boardDirectoryLimits.backoffMsMax);
      }
    }
  }

  #deliveries() {
    const { signal } = this.#stop;
    return this.#means.log.subscribe(this.#checkpoint, { categories: ['board'] }, { signal });
  }

  async #apply(stored: readonly StoredEvent[]): Promise<void> {
    for (const event of await boardEvents.decode(stored, this.#means.cipher)) {
      const id = event.data.board;
      const board = evolveBoard(this.#boards.get(id), event);
      if (board) this.#boards.set(id, board);
    }
  }
}
