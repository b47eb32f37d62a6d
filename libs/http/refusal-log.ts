import type { FastifyBaseLogger } from 'fastify';
import { limits } from './limits.ts';

interface Window {
  /** Requests since the last line. */
  more: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Tells of requests that a server refuses for a while (503: overloaded, a read model that is lost). Under
 * load there are thousands a second, all alike: each code gets one line at once, and then at most one in
 * each `limits.refusalLogMs` with their number.
 */
export class RefusalLog {
  readonly #log: Pick<FastifyBaseLogger, 'warn'>;
  /** By code: as many as there are in the tables of errors. */
  readonly #windows = new Map<string, Window>();

  constructor(log: Pick<FastifyBaseLogger, 'warn'>) {
    this.#log = log;
  }

  tell(code: string, line: () => object): void {
    const open = this.#windows.get(code);
    if (open) {
      open.more += 1;
      return;
    }
    this.#log.warn({ ...line(), code }, 'request refused');
    const timer = setInterval(() => this.#turn(code), limits.refusalLogMs);
    timer.unref();
    this.#windows.set(code, { more: 0, timer });
  }

  /** Tells what was counted and not told yet. */
  close(): void {
    for (const code of [...this.#windows.keys()]) {
      this.#turn(code);
      this.#forget(code);
    }
  }

  #turn(code: string): void {
    const open = this.#windows.get(code);
    if (!open || open.more === 0) {
      this.#forget(code);
      return;
    }
    this.#log.warn({ code, requests: open.more }, 'more requests refused');
    open.more = 0;
  }

  #forget(code: string): void {
    clearInterval(this.#windows.get(code)?.timer);
    this.#windows.delete(code);
  }
}
