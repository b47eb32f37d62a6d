import { hostname } from 'node:os';
import { annalsVersion, type Clock, newId, systemClock } from '@annals/core';
import { createServer, type HttpServer, type ReadinessCheck } from '@annals/http';
import {
  type ApiKeys,
  ApiKeysUnavailableError,
  apiKeyDirectory,
  issueKey,
  listKeys,
} from '@annals/iam';
import { leaderboardProjection } from '@annals/leaderboard';
import { leaderboardErrors } from '@annals/leaderboard-api';
import { paymentsErrors } from '@annals/payments-api';
import { type GenerationDirectory, generationDirectory } from '@annals/projection';
import {
  type LogProgress,
  openSite,
  paymentsSettingsOf,
  placedSettings,
  productOf,
  projectionsOf,
  type Site,
  sandboxAddress,
  siteConfigOf,
  startProjectorThread,
} from '@annals/projector';
import { readinessOfClock } from './clock-readiness.ts';
import type { Config, Role } from './config.ts';
import { registerLogMetrics, registerProjectionMetrics } from './metrics.ts';
import { openLeaderboard } from './open-leaderboard.ts';
import { openPayments } from './open-payments.ts';
import { type OpenSandbox, openSandbox } from './open-sandbox.ts';
import { registerPaymentsMetrics } from './payments-metrics.ts';
import { readinessOfProjector } from './projector-readiness.ts';
import { type Start, startUnlessFailed } from './start-unless-failed.ts';
import { translate } from './translate.ts';

export interface Platform {
  readonly server: HttpServer;
  readonly url: string;
  /** The admin key, when this start has made it: shown once, kept nowhere. */
  readonly newAdminKey: string | undefined;
  /** The payment provider to try, where no other one is set. */
  readonly sandbox: OpenSandbox | undefined;
  stop(): Promise<void>;
}

export interface PlatformOptions {
  readonly clock?: Clock;
  /** How long answers wait for the read model, in milliseconds. */
  readonly visibleMsMax?: number;
  /** How long the start waits for a read model that is filled for the first time, in milliseconds. */
  readonly readableMsMax?: number;
  /** A log has failed, and only an operator can mend that. */
  readonly onFailed?: (error: Error) => void;
  /** While the replica of a log that is elsewhere catches up, before anything is served. */
  readonly onProgress?: (progress: LogProgress) => void;
  /** Checks every answer against its schema. For tests: it costs. */
  readonly checkResponses?: boolean;
}

const readableMsMaxDefault = 1_000;

/** Opens the site, starts what the roles of this process need, and serves. */
export async function startPlatform(
  config: Config,
  options: PlatformOptions = {},
): Promise<Platform> {
  return startUnlessFailed((start) => serve(config, { ...options, ...start }), options.onFailed);
}

type StartOptions = PlatformOptions & Start;

async function serve(config: Config, options: StartOptions): Promise<Platform> {
  const { opened, failed } = options;
  const { server, site, leaderboard, payments, sandbox } = await openServer(config, options);
  opened.unshift({ name: 'server', close: () => server.stop() });
  const readableMsMax = options.readableMsMax ?? readableMsMaxDefault;
  await Promise.all([leaderboard, payments].map((product) => product?.readable(readableMsMax)));
  failed.throwIfAborted();
  const url = await server.listen({ host: config.HOST, port: config.PORT });
  if (leaderboard) sandbox?.useEndpoint(`${reachable(url)}${webhooksPath}`);
  // Made last: a start that fails must not leave a key behind that nobody has seen.
  failed.throwIfAborted();
  const makesKey = leaderboard !== undefined && config.ANNALS_ADMIN_KEY === undefined;
  const newAdminKey = makesKey ? await firstAdminKey(site) : undefined;
  return { server, url, newAdminKey, sandbox, stop: () => server.stop() };
}

/** The parts of the platform that the roles of this process need, each closed with `opened`. */
async function openParts(config: Config, options: StartOptions) {
  const { clock = systemClock, visibleMsMax, onProgress, onFailed, opened, failed } = options;
  const roles = rolesOf(config);
  const settings = paymentsSettingsOf(config);
  const holder = `${hostname()}/${process.pid}/${newId()}`;
  // What is told before there is a log to tell it in is told then.
  const early: (readonly [part: string, detail: string])[] = [];
  let tell = (part: string, detail: string): void => void early.push([part, detail]);
  // It takes its time to start, too: beside the rest.
  const opening = openSandbox({
    ...{ settings: isWhole(roles) ? settings : undefined, dataFolder: config.ANNALS_DATA, clock },
    ...{ port: config.SANDBOX_PSP_PORT, usualPort: config.PORT !== 0 },
    onTrouble: (detail) => tell('sandbox-psp', detail),
  });
  opened.unshift({
    name: 'sandbox PSP',
    close: async () => (await opening.catch(() => undefined))?.stop(),
  });
  // Its failure is told when it is waited for.
  opening.catch(() => undefined);
  const site = await openSite(siteConfigOf(config), {
    clock,
    onReport: (level, message) => level !== 'info' && tell('log', message),
    ...(onProgress ? { onProgress } : {}),
    onFailed,
  });
  opened.unshift({ name: 'log and keys', close: () => site.close() });
  failed.throwIfAborted();

  const following = new AbortController();
  const { signal } = following;
  opened.unshift({ name: 'followers', close: () => following.abort() });
  const apiKeys = apiKeyDirectory(site.log, { signal, clock, adminKey: config.ANNALS_ADMIN_KEY });
  const generations = generationDirectory(site.logOf('leaderboard'), { signal, clock });
  await Promise.all([apiKeys.ready(), generations.ready()]);

  const sandbox = await opening;
  const address = sandbox?.url ?? sandboxAddress(config.ANNALS_DATA);
  const payments = settings && (placedSettings(settings, address) ?? settings);
  const projector = roles.includes('projector')
    ? startProjectorThread({
        ...{ site: site.config, payments, holder, onFailed },
        onTrouble: (projection, detail) => tell(projection, detail),
      })
    : undefined;
  if (projector) opened.unshift({ name: 'projector', close: () => projector.stop() });

  const leaderboard = roles.includes('api')
    ? await openLeaderboard(site, generations, {
        onTrouble: (detail) => tell(leaderboardProjection.name, detail),
        servesOlder: config.ANNALS_WHEN_LOST === 'serve-older',
        ...(visibleMsMax === undefined ? {} : { visibleMsMax }),
      })
    : undefined;
  opened.unshift(...(leaderboard?.closing ?? []));
  const taken = leaderboard
    ? await openPayments(site, await generationsOfPayments(site, generations, { signal, clock }), {
        ...{ settings: settings && placedSettings(settings, address), holder },
        onTrouble: (detail) => tell('payments', detail),
        ...(visibleMsMax === undefined ? {} : { visibleMsMax }),
      })
    : undefined;
  opened.unshift(...(taken?.closing ?? []));
  const tellTo = (teller: typeof tell) => {
    tell = teller;
    for (const [part, detail] of early.splice(0)) teller(part, detail);
  };
  return { ...{ site, apiKeys, projector, leaderboard, payments: taken, sandbox, signal, tellTo } };
}

/** Two products on one log share what follows their generations. */
async function generationsOfPayments(
  site: Site,
  ofLeaderboard: GenerationDirectory,
  options: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<GenerationDirectory> {
  const log = site.logOf('payments');
  if (log === site.logOf('leaderboard')) return ofLeaderboard;
  const own = generationDirectory(log, options);
  await own.ready();
  return own;
}

const webhooksPath = '/v1/psp/webhooks';

/** A process with one role alone leaves the sandbox to one that has both: it is for trying on one machine. */
function isWhole(roles: readonly Role[]): boolean {
  return roles.includes('api') && roles.includes('projector');
}

/** The address that this machine reaches itself at, where it listens on all of its addresses. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

async function openServer(config: Config, options: StartOptions) {
  const { opened, failed } = options;
  const parts = await openParts(config, options);
  failed.throwIfAborted();
  const { site, apiKeys, projector, leaderboard, payments, sandbox, signal, tellTo } = parts;
  const server = await createServer({
    api: {
      title: 'Annals',
      version: annalsVersion,
      description: 'An event-sourced platform: every read model can be rebuilt from the log.',
    },
    routes: [...(leaderboard?.routes ?? []), ...(payments?.routes ?? [])],
    errors: [leaderboardErrors, paymentsErrors],
    authenticator: apiKeys,
    translate,
    log: { level: config.ANNALS_LOG_LEVEL },
    ...httpSettings(config),
    readiness: [
      readinessOfKeys(apiKeys),
      ...readinessOfLogs(site),
      readinessOfClock(
        site.logs.map(({ log }) => log),
        site.clock,
      ),
      ...(leaderboard?.readiness ?? []),
      ...(payments ? [payments.readiness] : []),
      ...(projector && !leaderboard ? [readinessOfProjector(projector)] : []),
    ],
    closing: [...opened],
    checkResponses: options.checkResponses ?? false,
  });
  // From here on the server closes all of it, after the last request.
  opened.length = 0;
  tellTo((projection, detail) => server.log.warn({ projection, detail }, 'trouble'));
  registerLogMetrics(server.registry, site.logs);
  registerProjectionMetrics(server.registry, {
    projections: projectionsOf(site.config),
    logOf: (projection) => site.logOf(productOf(projection)),
    status: () => projector?.status() ?? [],
    now: () => site.clock.now(),
  });
  registerPaymentsMetrics(server.registry, {
    stages: async () => payments?.stages(),
    waitingBreaks: async () => payments?.waitingBreaks(),
    reactors: () => projector?.reactors() ?? [],
  });
  // Closes of periods that an earlier process left half done are finished in the background.
  leaderboard?.service.resumeCloses().catch((error: unknown) => {
    if (!signal.aborted) server.log.error({ detail: String(error) }, 'could not resume closes');
  });
  return { server, site, leaderboard, payments, sandbox };
}

/** What a process does that was told nothing: all of it. */
export function rolesOf(config: Pick<Config, 'ANNALS_ROLES'>): readonly Role[] {
  return config.ANNALS_ROLES ?? ['api', 'projector'];
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

/** A log that is elsewhere may come to a stop for good: what its replica has followed is not what it was. */
function readinessOfLogs({ logs }: Site): ReadinessCheck[] {
  return logs
    .filter(({ place }) => place.kind !== 'sqlite')
    .map(({ log }, index) => ({
      name: index === 0 ? 'log' : `log-${index + 1}`,
      check: async () => {
        try {
          await log.head();
          return { kind: 'ready' };
        } catch (error) {
          return { kind: 'not-ready', detail: String(error) };
        }
      },
    }));
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
