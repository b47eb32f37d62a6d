import { randomBytes } from 'node:crypto';
import { EnginesError, enginesFolder, identityOf, up } from '@annals/engines';
import type { Cell, Row } from '@annals/projection';
import cassandra from 'cassandra-driver';

export type CassandraPeer =
  | { readonly kind: 'running'; readonly url: string }
  /** With what installs it. */
  | { readonly kind: 'missing'; readonly reason: string };

/** How long the node stays after this process, for the next one that asks. */
const lingerMs = 5_000;

/** A node on loopback that goes away with this process; `ANNALS_TEST_CASSANDRA` names another. Its url, with a keyspace of our own. */
export async function startCassandra(tell: (line: string) => void): Promise<CassandraPeer> {
  const { env } = process;
  const self = identityOf(process.pid);
  if (!self) throw new Error('this process is not among those that run');
  const { signal } = new AbortController();
  const site = { folder: enginesFolder(env), env, say: tell, signal };
  try {
    const given = env.ANNALS_TEST_CASSANDRA;
    const { url } = given
      ? { url: given }
      : await up(site, 'cassandra', { process: self, lingerMs });
    const [address, settings] = url.split('?') as [string, string];
    const keyspace = `annals_bench_${randomBytes(6).toString('hex')}`;
    return { kind: 'running', url: `${address}/${keyspace}?${settings}&replicas=1` };
  } catch (error) {
    if (!(error instanceof EnginesError) || error.code !== 'missing-program') throw error;
    return { kind: 'missing', reason: error.message };
  }
}

const form = /^cassandra:\/\/([^/]+)\/([^?]+)\?(.*)$/;
const types = { text: 'text', integer: 'bigint' } as const;

/** A table as one would make it by hand: its key is the partition, or begins with it. */
export interface RawTable {
  readonly name: string;
  readonly columns: { readonly [column: string]: 'text' | 'integer' };
  readonly partition: readonly string[];
  readonly sorted: readonly string[];
}

/** cassandra-driver and nothing else. */
export class RawCassandra {
  readonly #client: cassandra.Client;
  readonly #keyspace: string;

  constructor(url: string) {
    const [, hosts = '', keyspace = '', query] = form.exec(url) ?? [];
    this.#keyspace = keyspace;
    this.#client = new cassandra.Client({
      contactPoints: hosts.split(','),
      localDataCenter: new URLSearchParams(query).get('datacenter') ?? '',
      encoding: { useBigIntAsLong: true },
      queryOptions: { consistency: cassandra.types.consistencies.localQuorum, prepare: true },
    });
  }

  async open(tables: readonly RawTable[]): Promise<void> {
    await this.#client.connect();
    for (const { name, columns, partition, sorted } of tables) {
      const described = Object.entries(columns).map(([column, type]) => `${column} ${types[type]}`);
      const key = [`(${partition.join(', ')})`, ...sorted].join(', ');
      await this.#client.execute(
        `CREATE TABLE ${this.#keyspace}.${name} (${described.join(', ')}, PRIMARY KEY (${key}))`,
        [],
        { prepare: false },
      );
    }
  }

  /** Writes rows with the driver's own `executeConcurrent`, so many at once. */
  async write(
    rows: readonly { readonly table: RawTable; readonly row: Row }[],
    concurrencyLevel: number,
  ): Promise<void> {
    const statements = rows.map(({ table, row }) => {
      const columns = Object.keys(table.columns);
      const marks = columns.map(() => '?').join(', ');
      return {
        query: `INSERT INTO ${this.#keyspace}.${table.name} (${columns.join(', ')}) VALUES (${marks})`,
        params: columns.map((column) => bound(row[column] ?? null)),
      };
    });
    await cassandra.concurrent.executeConcurrent(this.#client, statements, { concurrencyLevel });
  }

  async close(): Promise<void> {
    await this.#client.execute(`DROP KEYSPACE IF EXISTS ${this.#keyspace}`, [], {
      ...{ prepare: false, readTimeout: 120_000 },
    });
    await this.#client.shutdown();
  }
}

function bound(cell: Cell): unknown {
  return typeof cell === 'number' ? BigInt(cell) : cell;
}
