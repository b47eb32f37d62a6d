import { configFrom } from '@annals/core';
import { stopOnSignals } from '@annals/http';
import { type Config, configSchema } from './config.ts';
import { startPlatform } from './start.ts';
import { startFailure } from './start-failure.ts';

/**
 * `npm start`: every product on one port, on the embedded default. Exit codes: 0 stopped, 1 could not
 * start or stop, 2 the configuration is wrong.
 */
const configured = configFrom(configSchema, process.env);
if (configured.kind === 'invalid') {
  process.stderr.write('annals: the configuration is wrong\n');
  for (const problem of configured.problems) process.stderr.write(`  ${problem}\n`);
  process.exit(2);
}
await run(configured.value);

async function run(config: Config): Promise<void> {
  try {
    const platform = await startPlatform(config);
    stopOnSignals(platform.server);
    const lines = [
      `Annals is running (data in ${config.ANNALS_DATA}); Ctrl-C stops it`,
      `  API        ${platform.url}/v1`,
      `  docs       ${platform.url}/docs`,
      platform.newAdminKey
        ? `  admin key  ${platform.newAdminKey}\n             (shown this once: keep it)`
        : '  admin key  the one you have; npx annals keys issue makes another',
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  } catch (error) {
    process.stderr.write(`annals: cannot start: ${startFailure(error, config)}\n`);
    process.exit(1);
  }
}
