import type { CassandraLiveReader } from '@annals/store-cassandra';
import type { LiveCassandraGeneration } from '../read-model/cassandra.ts';

/** The live reader of a Cassandra store as the leaderboard asks for it, where a generation is live for sure. */
export function cassandraReadsOf(live: CassandraLiveReader): LiveCassandraGeneration {
  return {
    current: async () => {
      const now = await live.current();
      if (now.kind === 'building') throw new Error('no generation is live yet');
      return now;
    },
    waitFor: async (checkpoint, timeoutMs, signal) => {
      const outcome = await live.waitFor(
        checkpoint,
        signal ? { timeoutMs, signal } : { timeoutMs },
      );
      return outcome === 'timeout' ? 'late' : outcome;
    },
  };
}
