import type { LeaderboardReadModel } from '../read-model/port.ts';

/** A live reader of a store on other machines. */
interface RemoteLive<Live extends { readonly kind: string }> {
  current(): Promise<Live>;
  waitFor(
    checkpoint: Parameters<LeaderboardReadModel['waitFor']>[0],
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<'reached' | 'timeout' | 'lost'>;
}

/** The live reader of a store as the leaderboard asks for it, where a generation is live for sure. */
export function remoteReadsOf<Live extends { readonly kind: string }>(live: RemoteLive<Live>) {
  return {
    current: async () => {
      const now = await live.current();
      if (now.kind === 'building') throw new Error('no generation is live yet');
      return now as Exclude<Live, { readonly kind: 'building' }>;
    },
    waitFor: async (...waited: Parameters<LeaderboardReadModel['waitFor']>) => {
      const [checkpoint, timeoutMs, signal] = waited;
      const outcome = await live.waitFor(
        checkpoint,
        signal ? { timeoutMs, signal } : { timeoutMs },
      );
      return outcome === 'timeout' ? 'late' : outcome;
    },
  };
}
