import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '@annals/core';
import type { ReactorStatus } from '@annals/payments/runtime';
import type { GenerationStatus } from '@annals/projection';
import type { FromProjector, ProjectorThreadData } from './thread-messages.ts';

export interface ProjectorThreadOptions extends ProjectorThreadData {
  readonly onTrouble: (projection: string, detail: string) => void;
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

/** Runs the projector in a worker thread, and starts it again should it ever end by an error. */
export function startProjectorThread(options: ProjectorThreadOptions): ProjectorThread {
  const { onTrouble, clock = systemClock, ...workerData } = options;
  const stopping = new AbortController();
  let status: readonly GenerationStatus[] = [];
  let reactors: readonly ReactorStatus[] = [];
  let current: Worker | undefined;

  const runOnce = (holder: string) =>
    new Promise<void>((resolve) => {
      const url = new URL('./projector-thread.ts', import.meta.url);
      const worker = new Worker(url, {
        workerData: { ...workerData, holder },
        resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMbMax },
      });
      current = worker;
      worker.on('message', (message: FromProjector) => {
        if (message.kind === 'status') {
          status = message.generations;
          reactors = message.reactors;
        } else onTrouble(message.projection, message.detail);
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
      if (stopping.signal.aborted) break;
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
