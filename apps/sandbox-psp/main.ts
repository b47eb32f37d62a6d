import { configFrom } from '@annals/core';
import { configSchema } from './config.ts';
import { startSandbox } from './start.ts';

/** The sandbox PSP on its own. Exit codes: 0 stopped, 1 could not start, 2 the configuration is wrong. */
const configured = configFrom(configSchema, process.env);
if (configured.kind === 'invalid') {
  process.stderr.write('sandbox-psp: the configuration is wrong\n');
  for (const problem of configured.problems) process.stderr.write(`  ${problem}\n`);
  process.exit(2);
}
try {
  const onTrouble = (error: unknown) => process.stderr.write(`sandbox-psp: ${String(error)}\n`);
  const running = await startSandbox(configured.value, { onTrouble });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => running.stop().then(() => process.exit(0)));
  }
  const lines = [
    `The sandbox PSP is running (data in ${configured.value.SANDBOX_PSP_DATA}); Ctrl-C stops it`,
    `  API         ${running.url}/v1`,
    `  test tokens ${running.url}/sandbox/tokens`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
} catch (error) {
  process.stderr.write(`sandbox-psp: cannot start: ${String(error)}\n`);
  process.exit(1);
}
