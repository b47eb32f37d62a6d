import { hostname } from 'node:os';
import { newId, systemClock } from '@annals/core';
import { createServer, type HttpServer } from '@annals/http';
import { ApiKeysUnavailableError, apiKeyDirectory, issueKey, listKeys } from '@annals/iam';
import {
  followBoards,
  Leaderboard,
  leaderboardProjection,
  sqliteLeaderboardReadModel,
} from '@annals/leaderboard';
import { LiveBoards, leaderboardErrors, leaderboardRoutes } from '@annals/leaderboard-api';
import { generationDirectory } from '@annals/projection';
import { type Embedded, openEmbedded, startProjectorThread } from '@annals/projector';
import { liveReader } from '@annals/store-sqlite';
import type { Config } from './config.ts';
import { registerLogMetrics, registerProjectionMetrics } from './metrics.ts';
import { translate } from './translate.ts';

export interface Platform {
  readonly server: HttpServer;
  readonly url: string;
  /** The admin key, when this start has made it: shown once, kept nowhere. */
  readonly newAdminKey: string | undefined;
  stop(): Promise<void>;
}

/** Opens the data folder, starts the projector's thread, and serves every product's API. */
export async function startPlatform(config: Config): Promise<Platform> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const clock = systemClock;
  const dataFolder = config.ANNALS_DATA;
  const masterKey = config.ANNALS_MASTER_KEY;
  const embedded = await openEmbedded({ dataFolder, masterKey, clock });
  const { log, cipher, keys } = embedded;

  const apiKeys = apiKeyDirectory(log, { signal, clock, adminKey: config.ANNALS_ADMIN_KEY });
  const generations = generationDirectory(log, { signal, clock });
  const boards = followBoards({ log, cipher, clock });
  const live = liveReader({
    folder: embedded.projectionsFolder,
    projection: leaderboardProjection.name,
    liveGeneration: () => generations.live(leaderboardProjection.name),
    clock,
  });
  const readModel = sqliteLeaderboardReadModel(live);
  const leaderboard = new Leaderboard({ log, cipher, keys, clock, readModel, boards });
  const liveBoards = new LiveBoards({ service: leaderboard, clock, onChange: live.onChange });

  await Promise.all([apiKeys.ready(), generations.ready(), boards.ready()]);
  const newAdminKey = config.ANNALS_ADMIN_KEY ? undefined : await firstAdminKey(embedded);
  await leaderboard.ensureDefaultBoard();

  let trouble = (_projection: string, _detail: string): void => undefined;
  const projector = startProjectorThread({
    dataFolder,
    masterKey,
    holder: `${hostname()}/${process.pid}/${newId()}`,
    onTrouble: (projection, detail) => trouble(projection, detail),
  });
  const server = await createServer({
    api: {
      title: 'Annals',
      version: '0.1.0',
      description: 'An event-sourced platform: every read model can be rebuilt from the log.',
    },
    routes: leaderboardRoutes(leaderboard, liveBoards),
    errors: [leaderboardErrors],
    authenticator: apiKeys,
    translate,
    log: { level: config.ANNALS_LOG_LEVEL },
    readiness: [
      {
        name: 'api-keys',
        check: () =>
          apiKeys.state().kind === 'following'
            ? { kind: 'ready' }
            : { kind: 'not-ready', detail: `the directory of keys is ${apiKeys.state().kind}` },
      },
      {
        name: 'leaderboard',
        check: () => {
          const { kind } = live.current();
          return kind === 'ready'
            ? { kind: 'ready' }
            : { kind: 'not-ready', detail: `the read model is ${kind}: npx annals status` };
        },
      },
    ],
    closing: [
      { name: 'live boards', close: () => liveBoards.close() },
      { name: 'projector', close: () => projector.stop() },
      { name: 'followers', close: () => stopping.abort() },
      { name: 'boards', close: () => boards.close() },
      { name: 'read model', close: () => live.close() },
      { name: 'log and keys', close: () => embedded.close() },
    ],
  });
  trouble = (projection, detail) => server.log.warn({ projection, detail }, 'projector trouble');
  registerLogMetrics(server.registry, log);
  registerProjectionMetrics(server.registry, projector.status, clock.now);
  // Closes that an earlier process left half done are finished in the background.
  leaderboard.resumeCloses().catch((error: unknown) => {
    if (!signal.aborted) server.log.error({ detail: String(error) }, 'could not resume closes');
  });
  const url = await server.listen({ host: config.HOST, port: config.PORT });
  return { server, url, newAdminKey, stop: () => server.stop() };
}

/** The first start of a data folder makes a key that may do everything; later starts make none. */
async function firstAdminKey({ log, clock }: Embedded): Promise<string | undefined> {
  const keys = await listKeys({ log, clock });
  if (keys.length > 0) return undefined;
  const issued = await issueKey(
    { log, clock },
    { name: 'admin', scopes: ['admin'], issuedBy: 'first start' },
  );
  if (issued.kind === 'issued') return issued.token;
  throw new ApiKeysUnavailableError('starting', { cause: issued });
}
