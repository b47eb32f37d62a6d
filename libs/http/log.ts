import type { FastifyBaseLogger } from 'fastify';
import { ZodError } from 'zod';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LogOptions {
  /** Default: `info`. */
  readonly level?: LogLevel;
  /** Where the lines go. Default: standard output, written in blocks. */
  readonly stream?: { write(line: string): void };
  /**
   * One line for each request, or only for those answered 500, and one a second for each code of the other
   * 5xx. Default: `failures`; the metrics count all.
   */
  readonly requests?: 'all' | 'failures';
}

/**
 * An error as the log may have it. The messages of SyntaxError and ZodError quote the data they were
 * about, which may be personal; of these only the place is logged.
 */
export function loggableError(error: unknown): { readonly [name: string]: unknown } {
  if (!(error instanceof Error)) return { type: typeof error };
  const quotesData = error instanceof SyntaxError || error instanceof ZodError;
  const code = (error as { readonly code?: unknown }).code;
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(quotesData ? {} : { message: error.message }),
    stack: framesOf(error),
    ...(error.cause === undefined ? {} : { cause: loggableError(error.cause) }),
  };
}

function framesOf(error: Error): string[] {
  const lines = (error.stack ?? '').split('\n');
  return lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
}

/**
 * The logger of one request, with its id on every line. Made on the first line: a pino child costs
 * more than the rest of the gate, and most requests log nothing.
 */
export class RequestLog {
  readonly #parent: FastifyBaseLogger;
  readonly #bindings: { readonly [name: string]: unknown };
  #child: FastifyBaseLogger | undefined;

  constructor(parent: FastifyBaseLogger, bindings: { readonly [name: string]: unknown }) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  get #own(): FastifyBaseLogger {
    this.#child ??= this.#parent.child(this.#bindings);
    return this.#child;
  }

  get level(): string {
    return this.#parent.level;
  }

  fatal(...line: [unknown, ...unknown[]]): void {
    (this.#own.fatal as (...line: unknown[]) => void)(...line);
  }

  error(...line: [unknown, ...unknown[]]): void {
    (this.#own.error as (...line: unknown[]) => void)(...line);
  }

  warn(...line: [unknown, ...unknown[]]): void {
    (this.#own.warn as (...line: unknown[]) => void)(...line);
  }

  info(...line: [unknown, ...unknown[]]): void {
    (this.#own.info as (...line: unknown[]) => void)(...line);
  }

  debug(...line: [unknown, ...unknown[]]): void {
    (this.#own.debug as (...line: unknown[]) => void)(...line);
  }

  trace(...line: [unknown, ...unknown[]]): void {
    (this.#own.trace as (...line: unknown[]) => void)(...line);
  }

  silent(...line: [unknown, ...unknown[]]): void {
    (this.#own.silent as (...line: unknown[]) => void)(...line);
  }

  child(bindings: { readonly [name: string]: unknown }): FastifyBaseLogger {
    return this.#own.child(bindings);
  }
}
