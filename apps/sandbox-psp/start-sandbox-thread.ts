import { Worker } from 'node:worker_threads';
import type { FromSandbox, SandboxThreadData, ToSandbox } from './sandbox-messages.ts';

export interface SandboxThread {
  readonly url: string;
  /** Where its webhooks go from now on. */
  useEndpoint(url: string): void;
  stop(): Promise<void>;
}

export interface SandboxThreadOptions extends SandboxThreadData {
  /** Told of faults of the sandbox's own. */
  readonly onTrouble: (detail: string) => void;
}

/** Starts the sandbox in a worker thread; `taken` where another process has its books open. Throws when it can't. */
export async function startSandboxThread(
  options: SandboxThreadOptions,
): Promise<SandboxThread | 'taken'> {
  const { onTrouble, ...workerData } = options;
  const worker = new Worker(new URL('./sandbox-thread.ts', import.meta.url), { workerData });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const send = (message: ToSandbox) => worker.postMessage(message);
  const stop = () => {
    send({ kind: 'stop' });
    return ended;
  };
  const started = await new Promise<FromSandbox>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (message: FromSandbox) => {
      if (message.kind === 'trouble') onTrouble(message.detail);
      else resolve(message);
    });
  });
  worker.on('error', (error) => onTrouble(`the sandbox PSP stopped: ${String(error)}`));
  if (started.kind === 'listening') {
    return { url: started.url, useEndpoint: (url) => send({ kind: 'endpoint', url }), stop };
  }
  await stop();
  if (started.kind !== 'failed') return 'taken';
  throw Object.assign(new Error(started.detail), { code: started.code });
}
