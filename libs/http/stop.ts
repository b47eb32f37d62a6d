import type { HttpServer } from './server.ts';

/** Something an app closes after the last request: projector, log, key store. */
export interface Closing {
  readonly name: string;
  close(): Promise<void> | void;
}

/** The part of a process that signals need. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * Stops the server gracefully on SIGTERM and SIGINT, then exits: 0 when all went well, 1 when not. A
 * second signal exits at once, with 128 + its number as shells do. Returns what undoes it.
 */
export function stopOnSignals(
  server: Pick<HttpServer, 'stop' | 'log'>,
  options: { readonly process?: SignalSource } = {},
): () => void {
  const source = options.process ?? process;
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals, number: number) => () => {
    if (stopping) {
      source.exit(128 + number);
      return;
    }
    stopping = true;
    server.log.info({ signal }, 'stopping');
    server.stop().then(
      () => source.exit(0),
      () => source.exit(1),
    );
  };
  const onTerminate = onSignal('SIGTERM', 15);
  const onInterrupt = onSignal('SIGINT', 2);
  source.on('SIGTERM', onTerminate);
  source.on('SIGINT', onInterrupt);
  return () => {
    source.off('SIGTERM', onTerminate);
    source.off('SIGINT', onInterrupt);
  };
}
