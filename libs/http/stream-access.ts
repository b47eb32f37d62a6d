import type { Clock } from '@annals/core';
import type { FastifyRequest } from 'fastify';
import { type Authenticator, accessProblem, bearerToken } from './auth.ts';
import { unavailable } from './errors.ts';
import { limits } from './limits.ts';
import { Problem } from './problem.ts';

/** What a stream was opened with, and how it is told that this is good no more. */
interface Admitted {
  readonly token: string;
  readonly scope: string | undefined;
  readonly refuse: (problem: Problem) => void;
}

/**
 * Looks again, while streams are open, whether their keys are still good: the gate of a route asks
 * only when a request begins, and a stream may stay open for days. One question for each key in each
 * round, however many streams it has opened.
 */
export class StreamAccess {
  readonly #authenticator: Authenticator;
  readonly #clock: Clock;
  readonly #translate: (error: unknown) => Problem | undefined;
  readonly #admitted = new Set<Admitted>();
  readonly #stop = new AbortController();
  #watching = false;

  constructor(
    authenticator: Authenticator,
    clock: Clock,
    translate: (error: unknown) => Problem | undefined,
  ) {
    this.#authenticator = authenticator;
    this.#clock = clock;
    this.#translate = translate;
  }

  /** Calls `refuse` once the key of this request is good no more; returns what ends the watch. */
  admit(request: FastifyRequest, refuse: (problem: Problem) => void): () => void {
    const token = bearerToken(request.headers.authorization);
    // Nobody was asked for a key here.
    if (!request.caller || token instanceof Problem) return () => undefined;
    const admitted = { token, scope: request.routeOptions.config.scope, refuse };
    this.#admitted.add(admitted);
    void this.#watch();
    return () => this.#admitted.delete(admitted);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    const { signal } = this.#stop;
    while (this.#admitted.size > 0 && !signal.aborted) {
      await this.#clock.sleep(limits.streamKeyCheckMs, signal);
      if (!signal.aborted) await this.#judgeAll();
    }
    this.#watching = false;
  }

  async #judgeAll(): Promise<void> {
    const byToken = Map.groupBy(this.#admitted, ({ token }) => token);
    for (const [token, streams] of byToken) {
      const judge = await this.#judge(token);
      for (const { scope, refuse } of streams) {
        const problem = judge(scope);
        if (problem) refuse(problem);
      }
    }
  }

  /** Whoever cannot be judged is sent away, as a request is: the client comes again. */
  async #judge(token: string): Promise<(scope: string | undefined) => Problem | undefined> {
    try {
      const found = await this.#authenticator.authenticate(token);
      return (scope) => accessProblem(found, scope);
    } catch (error) {
      const problem = this.#translate(error) ?? unavailable('keys cannot be judged right now', 1);
      return () => problem;
    }
  }
}
