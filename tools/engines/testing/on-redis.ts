import { describeOn } from '@annals/core/testing';
import { it } from 'vitest';

/** A file of tests that `suites.int.test.ts` runs with a vitest of its own. */
await describeOn(
  'redis',
  'on Redis',
  (redis) => {
    it('looks at it', () => {
      process.stderr.write(`found ${redis.addresses[0]}\n`);
    });
    it('kills it', async () => {
      await redis.act('kill', 1);
      await redis.act('start', 1);
    });
  },
  process.env.ANNALS_TEST_LABEL ? { label: process.env.ANNALS_TEST_LABEL } : {},
);
