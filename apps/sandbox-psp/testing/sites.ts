import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@annals/core';
import { type PspTerms, stripePsp, type WebhookDelivery } from '@annals/payments/psp';
import { type PspSite, sitePace, siteSearchLagMs, siteTerms } from '@annals/payments/psp/contract';
import { configSchema } from '../config.ts';
import { Sandbox } from '../core/sandbox.ts';
import { Storage } from '../core/storage.ts';
import { sandboxFetch } from '../in-process.ts';
import { SandboxTime } from '../sandbox-time.ts';
import { startSandbox } from '../start.ts';
import { Worker } from '../webhook-sender.ts';
import { seeded } from './api.ts';
import { startProcess } from './sandbox-process.ts';

const key = 'sk_test_sandbox';
const secret = 'whsec_sandbox';

/** What the two sites share: everything but where the sandbox is. */
interface Place {
  /** What the adapter calls it. */
  readonly name?: string;
  readonly terms?: PspTerms;
  readonly searchLagMs?: number;
  readonly url: string;
  readonly fetch: typeof globalThis.fetch;
  /** The sandbox's time. */
  readonly now: () => number;
  readonly forward: (ms: number) => Promise<void>;
  readonly deliveries: WebhookDelivery[];
  readonly receiver: { ok: boolean };
  readonly inProcess: boolean;
  readonly kill?: () => Promise<void>;
  close(): Promise<void>;
}

function siteAt(place: Place): PspSite {
  const { url, fetch, now } = place;
  const clock: Clock = { now, sleep: (ms, signal) => systemClock.sleep(ms, signal) };
  const headers = { authorization: `Bearer ${key}` };
  const operate = async (path: string, body?: object) => {
    const post = body ? { method: 'POST', body: JSON.stringify(body) } : {};
    const response = await fetch(`${url}${path}`, { headers, ...post });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  };
  return {
    psp: stripePsp({
      ...{ name: place.name ?? 'stripe', url, key, webhookSecrets: ['whsec_old', secret], clock },
      ...{ returnUrl: 'http://127.0.0.1:9/back', ...termsOf(place) },
      ...(place.inProcess ? { fetch } : {}),
    }),
    now,
    inject: async (fault) => {
      await operate('/sandbox/faults', fault);
    },
    clear: async () => {
      await fetch(`${url}/sandbox/faults`, { headers, method: 'DELETE' });
    },
    pass: (ms) => place.forward(ms),
    deliveries: () => place.deliveries,
    receive: (ok) => {
      place.receiver.ok = ok;
    },
    answerAction: async (actionUrl, outcome) => {
      const body = `outcome=${outcome}`;
      const response = await fetch(actionUrl, { method: 'POST', body, redirect: 'manual' });
      return response.headers.get('location') ?? '';
    },
    giveCard: async (url, number) => {
      const body = `number=${number}&expiry=12%2F49&cvc=123`;
      const response = await fetch(url, { method: 'POST', body, redirect: 'manual' });
      return response.headers.get('location') ?? '';
    },
    topUp: async (amount, currency) => {
      const body = `amount=${amount}&currency=${currency.toLowerCase()}`;
      const response = await fetch(`${url}/v1/topups`, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(await response.text());
    },
    count: async (kind) => {
      const path = {
        ...{ payment: 'payment_intents', refund: 'refunds', payout: 'payouts' },
        page: 'checkout/sessions',
      }[kind];
      const page = (await operate(`/v1/${path}?limit=100`)) as { readonly data: unknown[] };
      return page.data.length;
    },
    ...(place.kill ? { kill: place.kill } : {}),
    close: () => place.close(),
  };
}

function termsOf({ terms = siteTerms, searchLagMs = siteSearchLagMs }: Place) {
  return { terms, searchLagMs };
}

/** The sandbox in this process, its books in memory. */
export async function openInProcess(
  name = 'stripe',
  { terms = siteTerms, searchLagMs = siteSearchLagMs }: Pick<Place, 'terms' | 'searchLagMs'> = {},
): Promise<PspSite> {
  const storage = new Storage(':memory:');
  const time = new SandboxTime(systemClock, storage);
  const now = () => time.now();
  const url = 'http://psp.test';
  const random = seeded(7);
  const sandbox = new Sandbox({
    ...{ storage, now, random, key, publicUrl: () => url },
    pace: { ...sitePace, searchLagMs },
  });
  sandbox.useEndpoint('http://shop.test/webhooks', secret);
  const deliveries: WebhookDelivery[] = [];
  const receiver = { ok: true };
  const worker = new Worker({
    ...{ sandbox, time, clock: systemClock, signal: new AbortController().signal },
    post: async ({ body, headers }) => {
      const signature = headers['stripe-signature'];
      deliveries.push({ body: Buffer.from(body), signature, receivedAt: now() });
      return receiver.ok;
    },
    onTrouble: (error) => {
      throw error;
    },
  });
  return siteAt({
    ...{ name, url, now, deliveries, receiver, inProcess: true, terms, searchLagMs },
    fetch: sandboxFetch(sandbox, (ms) => systemClock.sleep(ms)),
    forward: (ms) => worker.forward(ms),
    close: async () => storage.close(),
  });
}

/** Where webhooks go over real HTTP. */
async function listenForWebhooks(now: () => number) {
  const deliveries: WebhookDelivery[] = [];
  const receiver = { ok: true };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const signature = request.headers['stripe-signature'] as string | undefined;
    deliveries.push({ body: Buffer.concat(chunks), signature, receivedAt: now() });
    response.writeHead(receiver.ok ? 200 : 500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), 'annals-sandbox-'));
  return {
    deliveries,
    receiver,
    env: {
      SANDBOX_PSP_PORT: '0',
      SANDBOX_PSP_DATA: folder,
      SANDBOX_PSP_WEBHOOK_URL: `http://127.0.0.1:${port}/webhooks`,
    },
    close: () => {
      server.close().closeAllConnections();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Sets a sandbox forward over HTTP; its time then. */
async function forwardOverHttp(url: string, ms: number): Promise<number> {
  const headers = { authorization: `Bearer ${key}` };
  const body = JSON.stringify({ ms });
  const response = await fetch(`${url}/sandbox/time`, { method: 'POST', headers, body });
  return ((await response.json()) as { readonly now: number }).now;
}

/** The sandbox over real HTTP, on disk, in this process. */
export async function openHttp(): Promise<PspSite> {
  let now = () => Date.now();
  const listening = await listenForWebhooks(() => now());
  const running = await startSandbox(configSchema.parse(listening.env), {
    pace: sitePace,
    onTrouble: (error) => process.emitWarning(String(error)),
  });
  now = () => running.sandbox.now();
  const { url } = running;
  return siteAt({
    ...{ url, now, inProcess: false, fetch: globalThis.fetch },
    ...{ deliveries: listening.deliveries, receiver: listening.receiver },
    forward: async (ms) => {
      await forwardOverHttp(url, ms);
    },
    close: async () => {
      await running.stop();
      listening.close();
    },
  });
}

/** The sandbox as a process of its own, to be killed. */
export async function openProcess(): Promise<PspSite> {
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const listening = await listenForWebhooks(now);
  const start = (more: Record<string, string> = {}) =>
    startProcess({ ...listening.env, ...more }, 'sandbox-main.ts');
  let running = await start();
  const { url } = running;
  return siteAt({
    ...{ url, now, inProcess: false, fetch: globalThis.fetch },
    ...{ deliveries: listening.deliveries, receiver: listening.receiver },
    forward: async (ms) => {
      aheadMs = (await forwardOverHttp(url, ms)) - Date.now();
    },
    kill: async () => {
      await running.kill();
      running = await start({ SANDBOX_PSP_PORT: new URL(url).port });
    },
    close: async () => {
      await running.kill();
      listening.close();
    },
  });
}
