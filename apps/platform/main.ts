import { configFrom } from '@annals/core';
import { stopOnSignals } from '@annals/http';
import { configSchema } from './config.ts';
import { startPlatform } from './start.ts';

/** `npm start`: every product on one port, on the embedded default. */
const configured = configFrom(configSchema, process.env);
if (configured.kind === 'invalid') {
  process.stderr.write('annals: the configuration is wrong\n');
  for (const problem of configured.problems) process.stderr.write(`  ${problem}\n`);
  process.exit(2);
}
try {
  const platform = await startPlatform(configured.value);
  stopOnSignals(platform.server);
  const lines = [
    `Annals is running (data in ${configured.value.ANNALS_DATA})`,
    `  API        ${platform.url}/v1`,
    `  docs       ${platform.url}/docs`,
    platform.newAdminKey
      ? `  admin key  ${platform.newAdminKey}\n             (shown this once: keep it)`
      : '  admin key  the one you have; npx annals keys issue makes another',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`annals: cannot start: ${message}\n`);
  process.exit(1);
}
