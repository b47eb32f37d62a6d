import { Latch } from './latch.ts';
import type { ShareEnd } from './share-work.ts';

export type SessionEnd =
  /** Load everything anew and go on. `error`: after a pause. */
  { readonly kind: 'again'; readonly error?: unknown } | ShareEnd;

/** What everyone who works in a session knows of it: whether it has come to its end, and how its loop is woken. */
export class SessionCourse {
  readonly #latch = new Latch();
  readonly #abort = new AbortController();
  #ended: SessionEnd | undefined;

  /** Why the session ends; undefined while it goes on. */
  get ended(): SessionEnd | undefined {
    return this.#ended;
  }

  /** Aborted at the end, so that nobody goes on waiting. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends the session as soon as it comes to a place where it can. The first reason counts. */
  end(reason: SessionEnd): void {
    this.#ended ??= reason;
    this.#abort.abort();
    this.#latch.open();
  }

  /** There is something for the loop to look at. */
  wake(): void {
    this.#latch.open();
  }

  woken(): Promise<void> {
    return this.#latch.opened();
  }
}
