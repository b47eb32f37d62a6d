import type { Answer, LeaderboardReadModel } from '@annals/leaderboard';
import { isFollowed, type ProjectionState } from '@annals/projection';
import { isUnreadable, type LeaderboardReads } from './leaderboard-reads.ts';

/**
 * The generation that was live before the one that is: still followed by the projector, made by the same
 * version, of the same log. Undefined where there is none.
 */
export function olderGeneration(
  { promotions, generations }: Pick<ProjectionState, 'promotions' | 'generations'>,
  version: number,
) {
  const live = promotions.at(-1);
  for (const number of promotions.toReversed()) {
    const one = generations.get(number);
    if (number === live || !one || one.version !== version) continue;
    if (isFollowed(one)) return one;
  }
  return undefined;
}

/**
 * Reads of the live generation and, once that is lost, of the one before it: such answers say `stale`. The
 * projector follows both, so nothing needs to be missing; but the older one was replaced, maybe because it was
 * wrong. How the read model stands is told by the live one alone: it stays lost until somebody repairs it.
 */
export function withOlder(live: LeaderboardReads, older: LeaderboardReads): LeaderboardReads {
  const model = (reads: LeaderboardReads) => reads.readModel;
  const ask = async <T>(
    from: (readModel: LeaderboardReadModel) => Promise<Answer<T>>,
  ): Promise<Answer<T>> => {
    const answer = await from(model(live));
    if (answer.kind === 'answer') return answer;
    const found = await from(model(older)).catch((error: unknown) => {
      if (isUnreadable(error)) return answer;
      throw error;
    });
    return found.kind === 'answer' ? { ...found, stale: true } : answer;
  };
  return {
    readModel: {
      top: (query) => ask((from) => from.top(query)),
      standing: (query) => ask((from) => from.standing(query)),
      ranks: (query) => ask((from) => from.ranks(query)),
      entries: (places) => ask((from) => from.entries(places)),
      history: (query) => ask((from) => from.history(query)),
      player: (userId) => ask((from) => from.player(userId)),
      waitFor: async (...waited) => {
        const reached = await model(live).waitFor(...waited);
        if (reached !== 'lost') return reached;
        const state = await older.state().catch(() => 'unknown' as const);
        return state === 'ready' ? model(older).waitFor(...waited) : 'lost';
      },
    },
    state: () => live.state(),
    onChange: (listener) => {
      const unlisten = [live.onChange(listener), older.onChange(listener)];
      return () => {
        for (const end of unlisten) end();
      };
    },
    close: async () => {
      await live.close();
      await older.close();
    },
  };
}
