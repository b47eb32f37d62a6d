import { hostname } from 'node:os';
import { configFrom, newId } from '@annals/core';
import { masterKeyPattern } from '@annals/subject-keys';
import { z } from 'zod';
import { runEmbeddedProjector } from './run-embedded-projector.ts';

/**
 * A process of its own that keeps the read models of one data folder up to date. Exit codes: 0 stopped,
 * 1 could not go on, 2 the configuration is wrong.
 */
const configured = configFrom(
  z.object({
    ANNALS_DATA: z.string().min(1).default('./data'),
    ANNALS_MASTER_KEY: z.string().regex(masterKeyPattern, 'must be 64 hex digits').optional(),
  }),
  process.env,
);
if (configured.kind === 'invalid') {
  process.stderr.write('annals: the configuration is wrong\n');
  for (const problem of configured.problems) process.stderr.write(`  ${problem}\n`);
  process.exit(2);
}
const { ANNALS_DATA, ANNALS_MASTER_KEY } = configured.value;
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

try {
  const projector = await runEmbeddedProjector({
    dataFolder: ANNALS_DATA,
    masterKey: ANNALS_MASTER_KEY,
    mustExist: true,
    holder: `${hostname()}/${process.pid}/${newId()}`,
    signal: stop.signal,
    onTrouble: (projection, detail) => process.stderr.write(`${projection}: ${detail}\n`),
  });
  process.stdout.write(`following the log in ${ANNALS_DATA}\n`);
  await projector.done;
} catch (error) {
  process.stderr.write(`annals: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
