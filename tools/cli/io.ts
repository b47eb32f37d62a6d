import type { Readable, Writable } from 'node:stream';
import type { Clock } from '@annals/core';

/** A stream to write to, which may be a terminal. */
export type Sink = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Everything a command has of the world around it: in tests, none of it is the process's own. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results. */
  readonly out: Sink;
  /** Progress, remarks, questions and errors, so that pipes stay clean. */
  readonly err: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborted by Ctrl-C and SIGTERM, and with the reason `pipeClosed` when the reader of `out` goes away. */
  readonly signal: AbortSignal;
}

/** Nobody reads our results any more. */
export const pipeClosed = 'pipe-closed';

/** Writes, and waits while the reader is slower than we are. */
export async function write(to: Sink, text: string): Promise<void> {
  if (to.write(text) || to.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      for (const event of ['drain', 'close', 'error']) to.removeListener(event, go);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) to.once(event, go);
  });
}
