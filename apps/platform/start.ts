import { hostname } from 'node:os';
import { annalsVersion, type Clock, newId, systemClock } from '@annals/core';
import { type Closing, createServer, type HttpServer, type ReadinessCheck } from '@annals/http';
import {
  type ApiKeys,
  ApiKeysUnavailableError,
  apiKeyDirectory,
  issueKey,
  listKeys,
} from '@annals/iam';
import { leaderboardProjection } from '@annals/leaderboard';
import { leaderboardErrors } from '@annals/leaderboard-api';
import { generationDirectory } from '@annals/projection';
import { openEmbedded, projections, type Site, startProjectorThread } from '@annals/projector';
import type { Config } from './config.ts';
import { registerLogMetrics, registerProjectionMetrics } from './metrics.ts';
import { openLeaderboard } from './open-leaderboard.ts';
import { translate } from './translate.ts';

export interface Platform {
  readonly server: HttpServer;
  readonly url: string;
  /** The admin key, when this start has made it: shown once, kept nowhere. */
  readonly newAdminKey: string | undefined;
  stop(): Promise<void>;
}

export interface PlatformOptions {
  readonly clock?: Clock;
  /** How long answers wait for the read model, in milliseconds. */
  readonly visibleMsMax?: number;
  /** How long the start waits for a read model that is filled for the first time, in milliseconds. */
  readonly readableMsMax?: number;
  /** Checks every answer against its schema. For tests: it costs. */
  readonly checkResponses?: boolean;
}

const readableMsMaxDefault = 1_000;

/** Opens the data folder, starts the projector's thread, and serves every product's API. */
export async function startPlatform(
  config: Config,
  options: PlatformOptions = {},
): Promise<Platform> {
  // What was opened, the last one first: the order of closing.
  const opened: Closing[] = [];
  try {
    const { server, embedded, readable } = await openServer(config, options, opened);
    opened.unshift({ name: 'server', close: () => server.stop() });
    await readable(options.readableMsMax ?? readableMsMaxDefault);
    const url = await server.listen({ host: config.HOST, port: config.PORT });
    // Made last: a start that fails must not leave a key behind that nobody has seen.
    const newAdminKey = config.ANNALS_ADMIN_KEY ? undefined : await firstAdminKey(embedded);
    return { server, url, newAdminKey, stop: () => server.stop() };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function openServer(config: Config, options: PlatformOptions, opened: Closing[]) {
  const { clock = systemClock, visibleMsMax } = options;
  const dataFolder = config.ANNALS_DATA;
  const masterKey = config.ANNALS_MASTER_KEY;
  const embedded = await openEmbedded({ dataFolder, masterKey, clock });
  opened.unshift({ name: 'log and keys', close: () => embedded.close() });
  const { log } = embedded;

  const following = new AbortController();
  const { signal } = following;
  opened.unshift({ name: 'followers', close: () => following.abort() });
  const apiKeys = apiKeyDirectory(log, { signal, clock, adminKey: config.ANNALS_ADMIN_KEY });
  const generations = generationDirectory(log, { signal, clock });
  await Promise.all([apiKeys.ready(), generations.ready()]);

  let tell = (_projection: string, _detail: string): void => undefined;
  const projector = startProjectorThread({
    dataFolder,
    masterKey,
    holder: `${hostname()}/${process.pid}/${newId()}`,
    onTrouble: (projection, detail) => tell(projection, detail),
  });
  opened.unshift({ name: 'projector', close: () => projector.stop() });

  const leaderboard = await openLeaderboard(embedded, generations, {
    onTrouble: (detail) => tell(leaderboardProjection.name, detail),
    ...(visibleMsMax === undefined ? {} : { visibleMsMax }),
  });
  opened.unshift(...leaderboard.closing);

  const server = await createServer({
    api: {
      title: 'Annals',
      version: annalsVersion,
      description: 'An event-sourced platform: every read model can be rebuilt from the log.',
    },
    routes: leaderboard.routes,
    errors: [leaderboardErrors],
    authenticator: apiKeys,
    translate,
    log: { level: config.ANNALS_LOG_LEVEL },
    ...httpSettings(config),
    readiness: [readinessOfKeys(apiKeys), leaderboard.readiness],
    closing: [...opened],
    checkResponses: options.checkResponses ?? false,
  });
  // From here on the server closes all of it, after the last request.
  opened.length = 0;
  tell = (projection, detail) => server.log.warn({ projection, detail }, 'trouble');
  registerLogMetrics(server.registry, embedded.logs);
  registerProjectionMetrics(server.registry, {
    ...{ log, projections, status: projector.status },
    now: () => clock.now(),
  });
  // Closes of periods that an earlier process left half done are finished in the background.
  leaderboard.service.resumeCloses().catch((error: unknown) => {
    if (!signal.aborted) server.log.error({ detail: String(error) }, 'could not resume closes');
  });
  return { server, embedded, readable: leaderboard.readable };
}

function httpSettings(config: Config) {
  const { ANNALS_RATE_LIMITS: rateLimit, ANNALS_TRUSTED_PROXIES: trustProxy } = config;
  return {
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(trustProxy === undefined ? {} : { trustProxy }),
    operations: config.ANNALS_OPERATIONS,
    drainMs: config.ANNALS_DRAIN_MS,
  };
}

function readinessOfKeys(apiKeys: ApiKeys): ReadinessCheck {
  return {
    name: 'api-keys',
    check: () => {
      const { kind } = apiKeys.state();
      return kind === 'following'
        ? { kind: 'ready' }
        : { kind: 'not-ready', detail: `the directory of keys is ${kind}` };
    },
  };
}

/** The first start of a data folder makes a key that may do everything; later starts make none. */
async function firstAdminKey({ log, clock }: Site): Promise<string | undefined> {
  const keys = await listKeys({ log, clock });
  if (keys.length > 0) return undefined;
  const issued = await issueKey(
    { log, clock },
    { name: 'admin', scopes: ['admin'], issuedBy: 'first-start' },
  );
  if (issued.kind === 'issued') return issued.token;
  throw new ApiKeysUnavailableError('starting', { cause: issued });
}

/** Closes what was opened before a start failed; the failure of the start is what is told. */
async function closeAll(opened: readonly Closing[]): Promise<void> {
  for (const part of opened) {
    try {
      await part.close();
    } catch {
      // The next part is closed all the same.
    }
  }
}
