import { startVitest } from 'vitest/node';

/** `REPORT`: runs `on-redis.ts` as a file of tests, and writes vitest's JSON report there. */
const [, , outputFile = ''] = process.argv;
const vitest = await startVitest('test', [], {
  root: import.meta.dirname,
  include: ['on-redis.ts'],
  config: false,
  watch: false,
  reporters: ['json'],
  outputFile,
  testTimeout: 120_000,
  hookTimeout: 120_000,
});
await vitest.close();
