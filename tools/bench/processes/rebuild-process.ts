import { drop, rebuild } from '@annals/projection';
import { openEmbedded, projectionNamed } from '@annals/projector';
import { redisProjectionStore } from '@annals/store-redis';

/**
 * A process that rebuilds a projection of a data folder, as `annals rebuild` does. Arguments: the
 * folder; the share of the time it may work, 1 for all; `once` or `forever`; the projection; and the URL of a
 * Redis, where not into the folder. `forever` rebuilds again and again until the channel closes. What it has
 * built is dropped.
 */
export type FromRebuild =
  | { readonly kind: 'begun' }
  | {
      readonly kind: 'rebuilt';
      readonly events: number;
      readonly elapsedMs: number;
      /** What all threads of the process took of the processor meanwhile, user and system. */
      readonly cpuMs: number;
      /** How far the process's resident size grew at most, from just before the rebuild. */
      readonly grownBytes: number;
    };

const [dataFolder = '', share = '1', times = 'once', named = '', redis] = process.argv.slice(2);
// A parent that has heard enough closes the channel: what is said then may get lost.
const tell = (message: FromRebuild) => process.send?.(message, () => undefined);
const stopping = new AbortController();
process.on('disconnect', () => stopping.abort());

const projection = projectionNamed(named);
if (!projection) throw new Error(`there is no projection named ${named}`);
const embedded = await openEmbedded({ dataFolder, mustExist: true });
const { log, cipher, clock } = embedded;
const operation = {
  ...{ log, cipher, clock, projection },
  store:
    redis === undefined
      ? embedded.storeFor(projection)
      : redisProjectionStore({ url: redis, projection: projection.name, clock }),
  holder: `bench/${process.pid}`,
};
do {
  await rebuildOnce();
} while (times === 'forever' && !stopping.signal.aborted);
await operation.store.close();
await embedded.close();
if (process.connected) process.disconnect();

async function rebuildOnce(): Promise<void> {
  let told = false;
  const residentBytes = process.memoryUsage.rss();
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const outcome = await rebuild({
    ...operation,
    signal: stopping.signal,
    throttle: share === '1' ? undefined : { share: Number(share) },
    onProgress: () => {
      if (!told) tell({ kind: 'begun' });
      told = true;
    },
  });
  const elapsedMs = performance.now() - started;
  const { user, system } = process.cpuUsage(cpuBefore);
  if (outcome.kind === 'rebuilt') {
    const grownBytes = process.resourceUsage().maxRSS * 1_024 - residentBytes;
    const cpuMs = (user + system) / 1_000;
    tell({ kind: 'rebuilt', events: outcome.events, elapsedMs, cpuMs, grownBytes });
  } else if (outcome.kind !== 'interrupted') {
    throw new Error(`the rebuild ended: ${JSON.stringify(outcome)}`);
  }
  await drop({ ...operation, generation: outcome.generation });
}
