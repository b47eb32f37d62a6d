import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '@annals/core';
import type { ReactorStatus } from '@annals/payments/runtime';
import type { GenerationStatus } from '@annals/projection';
import type { FromProjector, ProjectorThreadData } from './thread-messages.ts';

export interface ProjectorThreadOptions extends ProjectorThreadData {
  readonly onTrouble: (projection: string, detail: string) => void;
  /** The log that the thread follows has failed, and only an operator can mend that: it is not started again. */
  readonly onFailed?: (error: Error) => void;
  readonly clock?: Clock;
}

export interface ProjectorThread {
  /** What every generation was doing a moment ago; empty until the thread has started. */
  status(): readonly GenerationStatus[];
  /** The reactors of payments, a moment ago. */
  reactors(): readonly ReactorStatus[];
  /** Ends when the batch under way is committed. */
  stop(): Promise<void>;
}

const restartMsMin = 200;
const restartMsMax = 10_000;
/** Three semi-spaces of 16 MB, half of what Node.js takes by itself: what a batch allocates fits. */
const youngGenerationMbMax = 48;

/** Runs the projector in a worker thread, and starts it again should it end by an error that may pass. */
export function startProjectorThread(options: ProjectorThreadOptions): ProjectorThread {
  const { onTrouble, onFailed, clock = systemClock, ...workerData } = options;
  const stopping = new AbortController();
  let status: readonly GenerationStatus[] = [];
  let reactors: readonly ReactorStatus[] = [];
  let current: Worker | undefined;
  let failed = false;

  const runOnce = (holder: string) =>
    new Promise<void>((resolve) => {
      const url = new URL('./projector-thread.ts', import.meta.url);
      const worker = new Worker(url, {
        workerData: { ...workerData, holder },
        resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMbMax },
      });
      current = worker;
      worker.on('message', (message: FromProjector) => {
        switch (message.kind) {
          case 'status':
            status = message.generations;
            reactors = message.reactors;
            return;
          case 'trouble':
            return onTrouble(message.projection, message.detail);
          case 'failed':
            failed = true;
            onFailed?.(new Error(message.message));
        }
      });
      worker.on('error', (error) => onTrouble('', `the projector stopped: ${String(error)}`));
      worker.on('exit', () => resolve());
      if (stopping.signal.aborted) worker.postMessage('stop');
    });

  const ended = (async () => {
    let restartMs = restartMsMin;
    for (let run = 1; !stopping.signal.aborted; run += 1) {
      await runOnce(`${options.holder}#${run}`);
      status = [];
      reactors = [];
      if (failed || stopping.signal.aborted) break;
      await clock.sleep(restartMs, stopping.signal);
      restartMs = Math.min(restartMs * 2, restartMsMax);
    }
  })();

  return {
    status: () => status,
    reactors: () => reactors,
    stop: () => {
      stopping.abort();
      current?.postMessage('stop');
      return ended;
    },
  };
}
