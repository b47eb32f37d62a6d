import { describeOn } from '@annals/core/testing';
import { describeLeaderboardReadModel } from '../contract/index.ts';
import { cassandraSites } from '../testing/cassandra-sites.ts';

await describeOn('cassandra', 'On Cassandra', (engine) => {
  const site = cassandraSites(engine);
  describeLeaderboardReadModel('Cassandra (8 partitions)', {
    site: () => site(8),
    propertyRuns: 4,
  });
});
