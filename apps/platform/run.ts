import { configFrom } from '@annals/core';
import { type HttpServer, stopOnSignals } from '@annals/http';
import {
  catchUpLines,
  paymentsSettingsOf,
  shownPsps,
  shownSite,
  siteConfigOf,
} from '@annals/projector';
import { type Config, configSchema } from './config.ts';
import { rolesOf, startPlatform } from './start.ts';
import { startFailure } from './start-failure.ts';

/** How long after the start of the process its lines have to be printed, whether reads can be answered or not. */
const printedMsMax = 2_500;

/** Reads the settings, starts the platform and says where it is; ends the process where it cannot. */
export async function run(env: NodeJS.ProcessEnv): Promise<void> {
  const configured = configFrom(configSchema, env);
  if (configured.kind === 'invalid') {
    process.stderr.write('annals: the configuration is wrong\n');
    for (const problem of configured.problems) process.stderr.write(`  ${problem}\n`);
    process.exit(2);
  }
  try {
    await start(configured.value);
  } catch (error) {
    process.stderr.write(`annals: cannot start: ${startFailure(error, configured.value)}\n`);
    process.exit(1);
  }
}

/** What is under way is answered; whoever restarts the process, or looks why it ended, finds the reason. */
async function endFailed(server: HttpServer, { message }: Error): Promise<void> {
  process.stderr.write(`annals: cannot go on: ${message}\n`);
  await server.stop().catch(() => undefined);
  process.exit(1);
}

async function start(config: Config): Promise<void> {
  const readableBy = printedMsMax - performance.now();
  const say = (line: string) => process.stdout.write(`${line}\n`);
  // Before anything is opened: what cannot be reached is named here, too.
  for (const [part, place] of [
    ...shownSite(siteConfigOf(config)),
    ...shownPsps(paymentsSettingsOf(config)),
  ]) {
    say(`  ${part}: ${place}`);
  }
  const failed = Promise.withResolvers<Error>();
  const platform = await startPlatform(config, {
    readableMsMax: Math.max(0, readableBy),
    onProgress: catchUpLines(say),
    onFailed: failed.resolve,
  });
  stopOnSignals(platform.server);
  void failed.promise.then((error) => endFailed(platform.server, error));
  if (!rolesOf(config).includes('api')) {
    say(`Annals keeps the read models (data in ${config.ANNALS_DATA}); Ctrl-C stops it`);
    say(`  operations ${platform.url}/readyz and /metrics`);
    return;
  }
  say(`Annals is running (data in ${config.ANNALS_DATA}); Ctrl-C stops it`);
  say(`  API        ${platform.url}/v1`);
  say(`  docs       ${platform.url}/docs`);
  if (platform.sandbox) {
    say(`  sandbox    ${platform.sandbox.url}/sandbox/tokens`);
    say('             (a payment provider to try, with test tokens: no money moves)');
  }
  say(
    platform.newAdminKey
      ? `  admin key  ${platform.newAdminKey}\n             (shown this once: keep it)`
      : '  admin key  the one you have; npx annals keys issue makes another',
  );
}
