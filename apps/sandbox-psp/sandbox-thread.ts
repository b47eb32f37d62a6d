import { parentPort, workerData } from 'node:worker_threads';
import { configSchema } from './config.ts';
import type { FromSandbox, SandboxThreadData, ToSandbox } from './sandbox-messages.ts';
import { type RunningSandbox, startSandbox } from './start.ts';

/** The entry of the sandbox's worker thread: its books are synced to disk at every request, which takes its time. */
const port = parentPort;
if (!port) throw new Error('this file is the entry of a worker thread');
const { folder, host, ports, key, webhookSecret } = workerData as SandboxThreadData;
const tell = (message: FromSandbox) => port.postMessage(message);

let running: RunningSandbox | undefined;
try {
  running = await startOnFreePort();
  tell({ kind: 'listening', url: running.url });
} catch (error) {
  const { code, errcode, message } = error as Error & { code?: string; errcode?: number };
  // SQLITE_BUSY: the books belong to one process alone.
  if (errcode === 5) tell({ kind: 'taken' });
  else tell({ kind: 'failed', detail: message, code });
}

port.on('message', async (message: ToSandbox) => {
  if (message.kind === 'endpoint') running?.sandbox.useEndpoint(message.url, webhookSecret);
  else {
    await running?.stop();
    port.close();
  }
});

async function startOnFreePort(): Promise<RunningSandbox> {
  let taken: unknown;
  for (const candidate of ports) {
    const config = configSchema.parse({
      ...{ SANDBOX_PSP_HOST: host, SANDBOX_PSP_PORT: candidate, SANDBOX_PSP_DATA: folder },
      ...{ ANNALS_PSP_KEY: key, ANNALS_PSP_WEBHOOK_SECRET: webhookSecret },
    });
    try {
      const onTrouble = (error: unknown) => tell({ kind: 'trouble', detail: String(error) });
      return await startSandbox(config, { onTrouble });
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== 'EADDRINUSE') throw error;
      taken = error;
    }
  }
  throw taken;
}
