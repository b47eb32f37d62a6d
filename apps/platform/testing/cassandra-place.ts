import { randomBytes } from 'node:crypto';
import { connectCassandra } from '@annals/store-cassandra';
import { onTestFinished } from 'vitest';

/** The URL of a keyspace that nobody has made yet, and that is gone after the test. */
export function cassandraPlace(engineUrl: string): string {
  const [address, settings] = engineUrl.split('?') as [string, string];
  const keyspace = `annals_test_${randomBytes(6).toString('hex')}`;
  const place = `${address}/${keyspace}?${settings}&replicas=1`;
  onTestFinished(async () => {
    const cassandra = await connectCassandra(place);
    await cassandra.schema(`DROP KEYSPACE IF EXISTS ${keyspace}`);
    await cassandra.close();
  }, 120_000);
  return place;
}
