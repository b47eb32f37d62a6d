import { describeOn } from '@annals/core/testing';
import { describeProjectionStore } from '@annals/projection/contract';
import { afterAll } from 'vitest';
import { TestKeyspace } from './testing/site.ts';

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const keyspace = new TestKeyspace(engine.url);
  afterAll(() => keyspace.drop(), 120_000);

  describeProjectionStore('the Cassandra store', {
    site: (clock) => keyspace.site(clock),
    propertyRuns: 3,
    killDelayMsMax: 500,
  });
});
