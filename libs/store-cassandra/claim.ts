import { connectCassandra } from './connection.ts';
import { storeError } from './errors.ts';
import { migrate, projectionSchema } from './schema.ts';

export interface CassandraClaim {
  readonly url: string;
  /** The name of the site, the same in all of its processes and for good. */
  readonly site: string;
}

/**
 * Says whose the read models in a keyspace are, unless that is said already. Throws CassandraStoreError
 * (`another-site`) where they are somebody else's: two sites number their generations alike.
 */
export async function claimCassandraKeyspace({ url, site }: CassandraClaim): Promise<void> {
  const cassandra = await connectCassandra(url);
  try {
    await migrate(cassandra, projectionSchema);
    const table = `${cassandra.keyspace}.annals_site`;
    const ownerOf = async () => {
      const [row] = await cassandra.serialRead(`SELECT site FROM ${table} WHERE id = 1`, []);
      return row && String(row.site);
    };
    let owner = await ownerOf();
    if (owner === undefined) {
      // Applied or not, or with an answer that was lost: what stands there then is what counts.
      const made = `INSERT INTO ${table} (id, site) VALUES (1, ?) IF NOT EXISTS`;
      await cassandra.compareAndSet(made, [site]).catch(() => false);
      owner = await ownerOf();
    }
    if (owner === site) return;
    const whose = `keyspace ${cassandra.keyspace} is of site ${owner}, this is ${site}`;
    throw storeError('another-site', `${whose}; where this one takes its place, truncate ${table}`);
  } finally {
    await cassandra.close();
  }
}
