import { randomBytes } from 'node:crypto';
import type { Clock } from '@annals/core';
import { type ProjectionSite, sampleSpec } from '@annals/projection/contract';
import { cassandraProjectionStore } from '../cassandra-projection-store.ts';
import { type CassandraConnection, connectCassandra } from '../connection.ts';
import { dropGeneration, readMarker, tablesLeft } from '../marker.ts';
import { openGenerationReader } from '../reader.ts';
import { copyGeneration } from './copy-generation.ts';

export const testLayout = { buckets: 4, orderShards: 2 } as const;

/** A keyspace for the tests of one file: making tables is slow, so they share what can be shared. */
export class TestKeyspace {
  readonly url: string;
  #sites = 0;
  #connection: Promise<CassandraConnection> | undefined;

  constructor(engineUrl: string) {
    const [address, settings] = engineUrl.split('?') as [string, string];
    const keyspace = `annals_test_${randomBytes(6).toString('hex')}`;
    this.url = `${address}/${keyspace}?${settings}&replicas=1`;
  }

  connection(): Promise<CassandraConnection> {
    this.#connection ??= connectCassandra(this.url);
    return this.#connection;
  }

  async drop(): Promise<void> {
    const connection = await this.#connection;
    if (!connection) return;
    await connection.schema(`DROP KEYSPACE IF EXISTS ${connection.keyspace}`);
    await connection.close();
  }

  /** A name that no other site has: the generations of each are numbered from 1. */
  async site(clock: Clock): Promise<ProjectionSite> {
    const connection = await this.connection();
    this.#sites += 1;
    const projection = `sample-${this.#sites}`;
    return {
      open: async () =>
        cassandraProjectionStore({ cassandra: connection, projection, clock, ...testLayout }),
      countAbove: async (generation, table, group, score) => {
        const reader = await openGenerationReader(
          connection,
          { ...sampleSpec, generation },
          projection,
        );
        if (reader === 'lost') throw new Error('lost');
        return reader.countAbove(table, group, score);
      },
      backup: () => copyGeneration(connection, projection, 1),
      lose: (generation) => dropGeneration(connection, projection, generation),
      remains: async (generation) => {
        const marker = await readMarker(connection, projection, generation);
        const tables = await tablesLeft(connection, projection, generation);
        return [...tables, ...(marker ? [marker.instance] : [])];
      },
      childProcess: {
        module: new URL('./open-store.ts', import.meta.url).href,
        argument: JSON.stringify([this.url, projection]),
      },
      dispose: async () => undefined,
    };
  }
}
