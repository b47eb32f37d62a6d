import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import type { z } from 'zod';
import { anyAnswer, problemAnswer } from './answers.ts';
import { DemoError, exitCodes } from './exit-codes.ts';
import { limits } from './limits.ts';

export interface Answer {
  readonly status: number;
  /** The body as JSON; undefined when it is none. */
  readonly body: unknown;
  readonly retryAfterSeconds: number | undefined;
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** Path and query below the service's address. */
  readonly path: string;
  readonly body?: unknown;
}

/** Nobody answers at the address, or the connection broke. */
export class ServiceUnreachableError extends DemoError {
  constructor(url: string, cause: unknown) {
    const reason = cause instanceof Error ? reasonOf(cause) : String(cause);
    super(exitCodes.unavailable, 'service-unreachable', `no service answers at ${url}: ${reason}`, {
      cause,
    });
    this.name = 'ServiceUnreachableError';
  }
}

/** 401 or 403. */
export class KeyRefusedError extends DemoError {
  constructor(url: string, detail: string) {
    super(exitCodes.unavailable, 'key-refused', `${url} refuses the key: ${detail}`);
    this.name = 'KeyRefusedError';
  }
}

/** An answer that is not the one the API promises here. */
export class UnexpectedAnswerError extends DemoError {
  constructor({ method = 'GET', path }: Ask, status: number, detail: string) {
    const message = `${method} ${path} was answered ${status}: ${detail}`;
    super(exitCodes.failed, 'unexpected-answer', message);
    this.name = 'UnexpectedAnswerError';
  }
}

/** Refusals that ask to be sent again; every write of the demo counts once however often it is sent. */
const sendAgain: ReadonlySet<string> = new Set([
  'rate-limited',
  'log-overloaded',
  'log-unreachable',
  'write-outcome-unknown',
  'not-there-yet',
]);

/** The public HTTP API of one service, over connections that are kept open. */
export class Client {
  readonly url: string;
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signal: AbortSignal;

  constructor(options: { url: string; key?: string | undefined; signal: AbortSignal }) {
    const { origin, pathname } = new URL(options.url);
    this.url = options.url;
    this.#prefix = pathname.replace(/\/$/, '');
    this.#headers = options.key ? { authorization: `Bearer ${options.key}` } : {};
    this.#signal = options.signal;
    this.#pool = new Pool(origin, {
      connections: limits.requestsAtOnceMax,
      headersTimeout: limits.answerMsMax,
      bodyTimeout: limits.answerMsMax,
      connectTimeout: limits.answerMsMax,
    });
  }

  /** One request, whatever is answered. Throws ServiceUnreachableError. */
  async send({ method = 'GET', path, body }: Ask): Promise<Answer> {
    const json = body === undefined ? undefined : JSON.stringify(body);
    try {
      const answer = await this.#pool.request({
        method,
        path: `${this.#prefix}${path}`,
        headers: json ? { ...this.#headers, 'content-type': 'application/json' } : this.#headers,
        body: json ?? null,
        signal: this.#signal,
      });
      const seconds = Number(answer.headers['retry-after']);
      return {
        status: answer.statusCode,
        body: parsed(await answer.body.text()),
        retryAfterSeconds: Number.isFinite(seconds) ? seconds : undefined,
      };
    } catch (error) {
      if (this.#signal.aborted) throw error;
      throw new ServiceUnreachableError(this.url, error);
    }
  }

  /**
   * One request whose answer must be a success of this shape. What the service asks to send again is
   * sent again, at most `limits.attemptsMax` times. Throws KeyRefusedError, UnexpectedAnswerError and
   * ServiceUnreachableError.
   */
  async ask<S extends z.ZodType>(ask: Ask, shape: S): Promise<z.output<S>> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.send(ask);
      const { status, body } = answer;
      if (status >= 200 && status < 300) {
        const read = shape.safeParse(body);
        if (read.success) return read.data;
        const [issue] = read.error.issues;
        const wrong = `${issue?.path.join('.')}: ${issue?.message}`;
        throw new UnexpectedAnswerError(ask, status, `the answer has another shape (${wrong})`);
      }
      const problem = problemIn(body);
      if (status === 401 || status === 403) throw new KeyRefusedError(this.url, problem.detail);
      if (!sendAgain.has(problem.code) || attempt === limits.attemptsMax) {
        throw new UnexpectedAnswerError(ask, status, problem.detail);
      }
      await this.pause(answer);
    }
  }

  /** Waits as long as the answer asks for, within bounds; rejects when the demo is stopped. */
  async pause({ retryAfterSeconds = 1 }: Pick<Answer, 'retryAfterSeconds'>): Promise<void> {
    const ms = Math.min(retryAfterSeconds * 1_000, limits.retryAfterMsMax);
    await delay(ms, undefined, { signal: this.#signal });
  }

  /** A request of which only the success counts. */
  async tell(ask: Ask): Promise<void> {
    await this.ask(ask, anyAnswer);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Code and detail of a refusal; what stands in front of a service may answer without them. */
export function problemIn(body: unknown): {
  readonly code: string;
  readonly detail: string;
  readonly command?: string | undefined;
} {
  const read = problemAnswer.safeParse(body);
  return read.success ? read.data : { code: 'unknown', detail: 'an answer without a reason' };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Several addresses of one name fail together, with an empty message and the reasons inside. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) {
    return reasonOf(error.errors[0]);
  }
  return error.message;
}
