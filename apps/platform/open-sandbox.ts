import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@annals/core';
import {
  type PaymentsSettings,
  sandboxAddress,
  sandboxAddressFile,
  sandboxFolder,
} from '@annals/projector';
import {
  type SandboxThread,
  type SandboxThreadOptions,
  startSandboxThread,
} from '@annals/sandbox-psp';

/** The sandbox PSP of a data folder: a payment provider to try, where no other one is set. */
export interface OpenSandbox {
  readonly url: string;
  /** Another process of this data folder runs it. Should that one end, this one does. */
  readonly isElsewhere: boolean;
  /** Where its webhooks go from now on. */
  useEndpoint(url: string): void;
  stop(): Promise<void>;
}

export interface OpenSandboxOptions {
  readonly settings: PaymentsSettings | undefined;
  readonly dataFolder: string;
  /** Undefined: where it listened last, the usual port, or any that is free. */
  readonly port: number | undefined;
  /** Whether the usual port may be taken. */
  readonly usualPort: boolean;
  readonly clock: Clock;
  readonly onTrouble: (detail: string) => void;
}

const host = '127.0.0.1';
const usualPort = 8_090;
const answerMsMax = 10_000;
const lookMs = 50;
/** Between two looks at whether the process that runs the sandbox is still there. */
const watchMs = 1_000;

/** Starts the sandbox, or finds the one that another process of this data folder runs; undefined where none is needed. */
export async function openSandbox(options: OpenSandboxOptions): Promise<OpenSandbox | undefined> {
  const { settings, dataFolder, onTrouble, clock } = options;
  const place = settings?.psps.find(({ url }) => url === 'sandbox');
  if (!place) return undefined;
  const { key } = place;
  const [webhookSecret = ''] = place.webhookSecrets;
  const folder = sandboxFolder(dataFolder);
  const thread = { folder, host, ports: portsOf(options), key, webhookSecret, onTrouble };
  const started = await startSandboxThread(thread);
  if (started === 'taken') {
    return new ElsewhereSandbox(await answering(dataFolder, key, clock), { clock, thread });
  }
  writeAddress(folder, started.url);
  return { ...started, isElsewhere: false };
}

/** The sandbox of another process. It is taken over, at the address that all know, when nobody answers there any more. */
class ElsewhereSandbox implements OpenSandbox {
  readonly url: string;
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;
  #own: SandboxThread | undefined;
  #endpoint: string | undefined;

  constructor(
    url: string,
    means: { readonly clock: Clock; readonly thread: SandboxThreadOptions },
  ) {
    this.url = url;
    this.#watching = this.#watch(means.clock, means.thread);
  }

  get isElsewhere(): boolean {
    return this.#own === undefined;
  }

  useEndpoint(url: string): void {
    this.#endpoint = url;
    this.#own?.useEndpoint(url);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    await this.#own?.stop();
  }

  async #watch(clock: Clock, thread: SandboxThreadOptions): Promise<void> {
    const { signal } = this.#stopping;
    const ports = [Number(new URL(this.url).port)];
    while (!this.#own && !signal.aborted) {
      await clock.sleep(watchMs, signal);
      if (signal.aborted || (await isSandbox(this.url, thread.key))) continue;
      try {
        // `taken`: it is slow, or a third process was quicker.
        const started = await startSandboxThread({ ...thread, ports });
        if (started !== 'taken') this.#own = started;
      } catch (error) {
        thread.onTrouble(`the sandbox PSP was not taken over: ${String(error)}`);
      }
    }
    if (this.#endpoint !== undefined) this.#own?.useEndpoint(this.#endpoint);
  }
}

/** A page that a buyer was sent to before a restart should be there after it: the last port comes first. */
function portsOf({ port, usualPort: usual, dataFolder }: OpenSandboxOptions): readonly number[] {
  if (port !== undefined) return [port];
  const last = sandboxAddress(dataFolder);
  return [...(last ? [Number(new URL(last).port)] : []), ...(usual ? [usualPort] : []), 0];
}

function writeAddress(folder: string, url: string): void {
  const file = join(folder, sandboxAddressFile);
  writeFileSync(`${file}.new`, `${url}\n`);
  renameSync(`${file}.new`, file);
}

/** Where the other process listens; it may be starting. Throws when nobody answers. */
async function answering(dataFolder: string, key: string, clock: Clock): Promise<string> {
  for (let ms = 0; ms < answerMsMax; ms += lookMs) {
    const url = sandboxAddress(dataFolder);
    if (url !== undefined && (await isSandbox(url, key))) return url;
    await clock.sleep(lookMs);
  }
  throw new SandboxAwayError(dataFolder);
}

async function isSandbox(url: string, key: string): Promise<boolean> {
  try {
    const headers = { authorization: `Bearer ${key}` };
    const signal = AbortSignal.timeout(1_000);
    const response = await fetch(`${url}/v1/balance_transactions?limit=1`, { headers, signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Another process has the sandbox's books open, and does not answer where it says it listens. */
export class SandboxAwayError extends Error {
  readonly code = 'sandbox-away';
  constructor(dataFolder: string) {
    super(
      `another process has the books of the sandbox PSP in ${dataFolder} open and does not answer: ` +
        'stop it, or set ANNALS_PSP_URL',
    );
    this.name = 'SandboxAwayError';
  }
}
