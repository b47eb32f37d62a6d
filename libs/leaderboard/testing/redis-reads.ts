import type { RedisLiveReader } from '@annals/store-redis';
import type { LiveRedisGeneration } from '../read-model/redis.ts';

/** The live reader of a Redis store as the leaderboard asks for it, where a generation is live for sure. */
export function redisReadsOf(live: RedisLiveReader): LiveRedisGeneration {
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
