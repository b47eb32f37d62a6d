import type { BoardDirectory } from '../board-directory.ts';
import type { Answer, BoardPeriod, LeaderboardReadModel } from '../read-model/port.ts';

/**
 * The read model of a process that was told of no archive. A period that others have archived is refused, for
 * what is left of it here is nothing, or a part. Nobody who is set up as all others are comes to that, so
 * the boards as they are followed will do.
 */
export function leaderboardReadModelWithoutArchive(
  hot: LeaderboardReadModel,
  boards: Pick<BoardDirectory, 'board'>,
): LeaderboardReadModel {
  const unlessArchived = async <T>(
    { board, period }: Pick<BoardPeriod, 'board' | 'period'>,
    asked: Promise<Answer<T>>,
  ): Promise<Answer<T>> => {
    const answer = await asked;
    const isArchived = (await boards.board(board))?.archived.has(period);
    return isArchived ? { kind: 'lost', of: 'no-archive' } : answer;
  };
  return {
    ...hot,
    top: (query) => unlessArchived(query, hot.top(query)),
    standing: (query) => unlessArchived(query, hot.standing(query)),
    ranks: (query) => unlessArchived(query, hot.ranks(query)),
    history: (query) => unlessArchived(query, hot.history(query)),
  };
}
