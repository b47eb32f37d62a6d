import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Clock, systemClock } from '@annals/core';
import type { Config } from './config.ts';
import type { Fees, Pace } from './core/books.ts';
import { Sandbox } from './core/sandbox.ts';
import { Storage } from './core/storage.ts';
import { sandboxServer } from './http-server.ts';
import { SandboxTime } from './sandbox-time.ts';
import { writeSettlementFiles } from './settlement-files.ts';
import { postByFetch, Worker } from './webhook-sender.ts';

export interface RunningSandbox {
  readonly url: string;
  readonly sandbox: Sandbox;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly clock?: Clock;
  readonly pace?: Partial<Pace>;
  readonly fees?: Fees;
  /** Told of faults of the sandbox's own. */
  readonly onTrouble?: (error: unknown) => void;
}

/** How often it is looked whether a day is over. */
const settlementEveryMs = 60_000;

/** Opens the books, listens, sends webhooks and writes settlement files, until it is stopped. */
export async function startSandbox(
  config: Config,
  { clock = systemClock, pace, fees, onTrouble = () => undefined }: StartOptions = {},
): Promise<RunningSandbox> {
  const folder = config.SANDBOX_PSP_DATA;
  mkdirSync(folder, { recursive: true });
  const storage = new Storage(join(folder, 'books.db'));
  const stopping = new AbortController();
  const random = secureRandom;
  const time = new SandboxTime(clock, storage);
  const now = () => time.now();
  let publicUrl = config.SANDBOX_PSP_PUBLIC_URL ?? '';
  const sandbox = new Sandbox({
    ...{ storage, now, random, key: config.ANNALS_PSP_KEY },
    publicUrl: () => publicUrl,
    ...(pace ? { pace } : {}),
    ...(fees ? { fees } : {}),
  });
  if (config.SANDBOX_PSP_WEBHOOK_URL !== undefined) {
    sandbox.useEndpoint(config.SANDBOX_PSP_WEBHOOK_URL, config.ANNALS_PSP_WEBHOOK_SECRET);
  }
  const { signal } = stopping;
  const worker = new Worker({ sandbox, time, clock, post: postByFetch, signal, onTrouble });
  const onChange = () => worker.wake();
  const forward = (ms: number) => worker.forward(ms);
  const server = sandboxServer({ sandbox, clock, forward, onChange, onTrouble });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(config.SANDBOX_PSP_PORT, config.SANDBOX_PSP_HOST, resolve);
    });
  } catch (error) {
    // The books are let go of: another try may open them.
    storage.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.SANDBOX_PSP_HOST}:${port}`;
  publicUrl ||= url;
  const working = Promise.all([worker.run(), settle()]);

  async function settle(): Promise<void> {
    while (!signal.aborted) {
      await writeSettlementFiles(storage, join(folder, 'settlement'), now()).catch(onTrouble);
      await clock.sleep(settlementEveryMs, signal);
    }
  }

  async function stop(): Promise<void> {
    stopping.abort();
    server.close();
    server.closeAllConnections();
    await working;
    storage.close();
  }

  return { url, sandbox, stop };
}

function secureRandom(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}
