import { randomBytes } from 'node:crypto';
import { systemClock } from '@annals/core';
import type { Engine } from '@annals/core/testing';
import {
  type CassandraConnection,
  cassandraLiveReader,
  cassandraProjectionStore,
  connectCassandra,
} from '@annals/store-cassandra';
import { afterAll, beforeAll } from 'vitest';
import { historySpec, type ReadModelSite } from '../contract/index.ts';
import { cassandraLeaderboardReadModel } from '../read-model/cassandra.ts';
import { remoteReadsOf } from './remote-reads.ts';

/** Sites in one keyspace, which is made and dropped with the tests around. */
export function cassandraSites(engine: Engine): (orderShards: number) => Promise<ReadModelSite> {
  const clock = systemClock;
  const [address, settings] = engine.url.split('?') as [string, string];
  const url = `${address}/annals_test_${randomBytes(6).toString('hex')}?${settings}&replicas=1`;
  let cassandra: CassandraConnection;
  let sites = 0;

  beforeAll(async () => {
    cassandra = await connectCassandra(url);
  });
  afterAll(async () => {
    await cassandra.schema(`DROP KEYSPACE IF EXISTS ${cassandra.keyspace}`);
    await cassandra.close();
  }, 120_000);

  /** A name of its own for each, as all of them make a generation 1. */
  async function site(orderShards: number): Promise<ReadModelSite> {
    sites += 1;
    const projection = `leaderboard-${sites}`;
    const options = { cassandra, projection, clock, buckets: 8, orderShards };
    const own = cassandraProjectionStore(options);
    const live = cassandraLiveReader({ ...options, liveGeneration: () => historySpec });
    return {
      store: async () => cassandraProjectionStore(options),
      readModel: async () => cassandraLeaderboardReadModel(remoteReadsOf(live)),
      lose: () => own.drop(1),
      dispose: async () => {
        await live.close();
        await own.close();
      },
    };
  }

  return site;
}
