import { setTimeout as delay } from 'node:timers/promises';
import { downIfUnused } from './down.ts';
import { enginesFolder, holdersAlive, readRecord, type Site } from './engines-folder.ts';

/**
 * `supervisor.ts ID LINGER_MS`: looks after one engine that test runs share, and ends it when the
 * last process that held it has been gone for some time. Started by `up`, ended by `down`.
 */
const pollMs = 500;

const [, , id = '', linger = ''] = process.argv;
const lingerMs = Number(linger);
const site: Site = {
  folder: enginesFolder(process.env),
  env: process.env,
  say: () => undefined,
  signal: new AbortController().signal,
};

/** Until `up` has written down that this process is the supervisor, it looks at nothing. */
let unusedSince = Date.now();
for (;;) {
  await delay(pollMs);
  if (holdersAlive(site, id) > 0) unusedSince = Date.now();
  if (Date.now() - unusedSince < lingerMs) continue;
  if (!readRecord(site, id) || (await downIfUnused(site, id))) break;
  unusedSince = Date.now();
}
