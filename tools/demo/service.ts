import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pageAnswer, readinessAnswer } from './answers.ts';
import { type Child, startChild } from './child.ts';
import { Client, problemIn, ServiceUnreachableError } from './client.ts';
import { DemoError, exitCodes } from './exit-codes.ts';
import { limits } from './limits.ts';
import type { Options } from './options.ts';

/** The service that the demo plays on. */
export interface Service {
  readonly client: Client;
  readonly url: string;
  /** Whether the demo started it, and may do with it as it likes. */
  readonly own: boolean;
  /** Its data folder, where that is known. */
  readonly dataFolder: string | undefined;
  /** Throws DemoError when a service of the demo's own did not stop cleanly. */
  close(): Promise<void>;
}

/**
 * The service at the address, or, if none was named and none answers at the usual one, a new one.
 * Throws DemoError when the named one does not answer, is not ready, or refuses the key.
 */
export async function findService(options: Options, signal: AbortSignal): Promise<Service> {
  if (!options.own) {
    const client = new Client({ url: options.url, key: options.key, signal });
    try {
      await checkReady(client);
      if (!options.key) throw noKey(options.url);
      await client.ask({ path: '/v1/scores?limit=1' }, pageAnswer);
      return {
        client,
        url: options.url,
        own: false,
        dataFolder: options.data,
        close: () => client.close(),
      };
    } catch (error) {
      await client.close();
      if (options.urlNamed || options.data || !(error instanceof ServiceUnreachableError))
        throw error;
    }
  }
  return startService(options.keep, signal);
}

/** Throws DemoError unless an Annals service answers and is wholly ready, or keeps its readiness to itself. */
async function checkReady(client: Client): Promise<void> {
  const { status, body } = await client.send({ path: '/readyz' });
  const readiness = readinessAnswer.safeParse(body);
  // From another machine it takes a key with `ops:read`; a key for playing need not have that.
  const kept = (status === 401 || status === 403) && problemIn(body).code !== 'unknown';
  if (kept || (readiness.success && readiness.data.status === 'ready')) return;
  if (!readiness.success) {
    const message = `what answers at ${client.url} is no Annals service (GET /readyz: ${status})`;
    throw new DemoError(exitCodes.unavailable, 'not-annals', message);
  }
  const reasons = readiness.data.checks
    .filter((check) => !check.ready || check.degraded)
    .map((check) => `${check.name}: ${check.detail ?? 'not ready'}`);
  const message = `the service at ${client.url} is not ready: ${reasons.join('; ')}`;
  throw new DemoError(exitCodes.unavailable, 'not-ready', message);
}

function noKey(url: string): DemoError {
  const message =
    `a service runs at ${url}, and no key was given: say --key or ANNALS_ADMIN_KEY, ` +
    'or --own to start another service for the demo';
  return new DemoError(exitCodes.unavailable, 'no-key', message);
}

/** Starts a platform on a new data folder, a free port and a key of its own. */
async function startService(keep: boolean, signal: AbortSignal): Promise<Service> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'annals-demo-'));
  const key = `demo_${randomBytes(24).toString('hex')}`;
  const child = startChild('platform', [], {
    HOST: '127.0.0.1',
    PORT: '0',
    ANNALS_DATA: dataFolder,
    ANNALS_ADMIN_KEY: key,
  });
  const clear = async () => {
    if (!keep) await rm(dataFolder, { recursive: true, force: true });
  };
  let client: Client | undefined;
  try {
    const deadline = performance.now() + limits.startMsMax;
    const url = await printedUrl(child, deadline, signal);
    client = new Client({ url, key, signal });
    await untilReady(client, child, deadline, signal);
    return { client, url, own: true, dataFolder, close: closing(client, child, clear) };
  } catch (error) {
    await client?.close();
    await child.stop();
    await clear();
    throw error;
  }
}

function closing(client: Client, child: Child, clear: () => Promise<void>): () => Promise<void> {
  return async () => {
    await client.close();
    const died = !child.running();
    const code = await child.stop();
    await clear();
    if (code === 0 && !died) return;
    const how = died
      ? 'ended before it was asked to'
      : `did not stop cleanly (${code ?? 'killed'})`;
    const message = `the demo's own service ${how}:\n${child.output().trim()}`;
    throw new DemoError(exitCodes.failed, 'service-ended', message);
  };
}

/** Port 0 is any free one; the service prints which. */
async function printedUrl(child: Child, deadline: number, signal: AbortSignal): Promise<string> {
  for (;;) {
    const [, url] = /^\s*API\s+(http:\/\/\S+?)\/v1$/m.exec(child.output()) ?? [];
    if (url) return url;
    await nextTry(child, deadline, signal);
  }
}

async function untilReady(
  client: Client,
  child: Child,
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  while ((await client.send({ path: '/readyz' })).status !== 200) {
    await nextTry(child, deadline, signal);
  }
}

async function nextTry(child: Child, deadline: number, signal: AbortSignal): Promise<void> {
  if (!child.running() || performance.now() > deadline) {
    const what = child.running() ? `was not ready within ${limits.startMsMax} ms` : 'ended at once';
    const message = `the demo's own service ${what}:\n${child.output().trim()}`;
    throw new DemoError(exitCodes.failed, 'service-not-started', message);
  }
  await delay(25, undefined, { signal });
}
