import type { Clock } from '@annals/core';
import type { Delivery } from './core/delivery.ts';
import type { Sandbox } from './core/sandbox.ts';
import type { SandboxTime } from './sandbox-time.ts';

/** Posts one webhook; true when the receiver answered with success. */
export type Post = (delivery: Delivery) => Promise<boolean>;

export const senderLimits = {
  answerMsMax: 10_000,
  /** Posts under way at once. */
  postsMax: 64,
  /** The longest sleep between two looks at what is due, so that a clock that was set is noticed. */
  idleMsMax: 1_000,
} as const;

export const postByFetch: Post = async ({ url, headers, body }) => {
  try {
    const signal = AbortSignal.timeout(senderLimits.answerMsMax);
    const response = await fetch(url, { method: 'POST', headers: { ...headers }, body, signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Nobody there, or no answer: it is tried again.
    return false;
  }
};

export interface WorkerOptions {
  readonly sandbox: Sandbox;
  /** The sandbox's time, which may be set forward. */
  readonly time: SandboxTime;
  readonly clock: Clock;
  readonly post: Post;
  readonly signal: AbortSignal;
  readonly onTrouble: (error: unknown) => void;
}

/** Does the sandbox's due jobs and sends its webhooks until it is told to stop. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #posts = new Set<Promise<void>>();
  #wake = new AbortController();

  constructor(options: WorkerOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
  }

  /** Something new may be due. */
  wake(): void {
    this.#wake.abort();
  }

  async run(): Promise<void> {
    const { sandbox, clock, signal, onTrouble } = this.#options;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        for (const delivery of sandbox.work()) await this.#send(delivery);
      } catch (error) {
        onTrouble(error);
        await clock.sleep(senderLimits.idleMsMax, signal);
      }
      const due = sandbox.nextDueAt() ?? Number.POSITIVE_INFINITY;
      const idleMs = Math.min(Math.max(0, due - sandbox.now()), senderLimits.idleMsMax);
      if (!signal.aborted && idleMs > 0) await clock.sleep(idleMs, this.#wake.signal);
    }
    await Promise.all(this.#posts);
  }

  /** Lets time pass at once: what falls due in it happens in its order, and webhooks are answered before it goes on. */
  async forward(ms: number): Promise<void> {
    const { sandbox, time } = this.#options;
    const end = time.now() + ms;
    for (let now = time.now(); now <= end; now = Math.max(now, sandbox.nextDueAt() ?? end + 1)) {
      time.set(now);
      for (const delivery of sandbox.work()) await this.#send(delivery);
      await Promise.all(this.#posts);
    }
    time.set(Math.max(end, time.now()));
    sandbox.work();
  }

  /** Starts one post; waits for a free place first. */
  async #send(delivery: Delivery): Promise<void> {
    const { sandbox, post } = this.#options;
    while (this.#posts.size >= senderLimits.postsMax) await Promise.race(this.#posts);
    const sent = post(delivery).then((arrived) => {
      if (arrived) sandbox.arrived(delivery);
      this.#posts.delete(sent);
    });
    this.#posts.add(sent);
  }
}
