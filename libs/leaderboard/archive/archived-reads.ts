import type { BoardDirectory } from '../board-directory.ts';
import type {
  Answer,
  BoardPeriod,
  Entries,
  Entry,
  EntryPlace,
  LeaderboardReadModel,
  RankedPlayer,
} from '../read-model/port.ts';

export interface ArchivedReadsMeans {
  /** The leaderboard's own read model: open periods, closed ones until they are archived, and names. */
  readonly hot: LeaderboardReadModel;
  /** The same over the store of `leaderboardArchiveProjection`. */
  readonly archive: LeaderboardReadModel;
  readonly boards: Pick<BoardDirectory, 'board' | 'refresh' | 'problem'>;
}

/** Names of one page that are asked for at once. */
const namesAtOnceMax = 32;

/**
 * One read model of two: what is asked of a period that was archived is answered by the archive, with the names
 * of the hot one, and nobody can tell. An archived period never changes, so the archive's answer is good
 * for whatever the hot read model covers.
 */
export function archivedLeaderboardReadModel(means: ArchivedReadsMeans): LeaderboardReadModel {
  const { hot, archive } = means;
  return {
    top: (query) =>
      routed(
        means,
        query,
        (from) => from.top(query),
        async (answer) => {
          return { ...answer, rows: await named(hot, answer.rows) };
        },
      ),
    standing: (query) =>
      routed(
        means,
        query,
        (from) => from.standing(query),
        async (answer) => {
          const { row, above, below } = answer;
          const [own] = row ? await named(hot, [row]) : [];
          const neighbours = await named(hot, [...above, ...below]);
          return {
            ...answer,
            row: own,
            above: neighbours.slice(0, above.length),
            below: neighbours.slice(above.length),
          };
        },
      ),
    ranks: (query) =>
      routed(
        means,
        query,
        (from) => from.ranks(query),
        async (answer) => {
          return { ...answer, rows: await named(hot, answer.rows) };
        },
      ),
    history: (query) =>
      routed(
        means,
        query,
        (from) => from.history(query),
        async (answer) => answer,
      ),
    entries: (places) => entries(hot, archive, places),
    player: (userId) => hot.player(userId),
    waitFor: (checkpoint, timeoutMs, signal) => hot.waitFor(checkpoint, timeoutMs, signal),
  };
}

/**
 * Rows leave the hot read model only after the board's stream says that their period is archived. So a
 * hot answer stands if the stream, read *after* it, says nothing of that. For an open period it need not be
 * read: a period is archived long after it was closed (`archiveAfterMs`), and whoever follows the boards
 * knows by then that it is closed, or that he cannot follow.
 */
async function routed<Q extends Pick<BoardPeriod, 'board' | 'period'>, T extends object>(
  { hot, archive, boards }: ArchivedReadsMeans,
  { board: id, period }: Q,
  ask: (from: LeaderboardReadModel) => Promise<Answer<T>>,
  withNames: (answer: T) => Promise<T>,
): Promise<Answer<T>> {
  const known = await boards.board(id);
  if (!known?.archived.has(period)) {
    const answer = await ask(hot);
    const mayBeArchived = known?.closed.has(period) || boards.problem() !== undefined;
    if (!mayBeArchived) return answer;
    const now = await boards.refresh(id);
    if (!now?.archived.has(period)) return answer;
  }
  const [answer, covered] = await Promise.all([ask(archive), hot.entries([])]);
  if (answer.kind === 'lost') return { of: 'archive', ...answer };
  if (covered.kind === 'lost') return covered;
  return { ...(await withNames(answer)), kind: 'answer', asOf: covered.asOf };
}

async function named<R extends RankedPlayer>(
  hot: LeaderboardReadModel,
  rows: readonly R[],
): Promise<R[]> {
  const found: R[] = [];
  for (let start = 0; start < rows.length; start += namesAtOnceMax) {
    const some = rows.slice(start, start + namesAtOnceMax);
    const answers = await Promise.all(some.map(({ userId }) => hot.player(userId)));
    for (const [n, row] of some.entries()) {
      const answer = answers[n];
      const player = answer?.kind === 'answer' ? answer.player : undefined;
      found.push({ ...row, name: player?.name ?? null, picture: player?.picture ?? null });
    }
  }
  return found;
}

/** What was let go is looked up in the archive; of a void score so is the total that it did not change. */
async function entries(
  hot: LeaderboardReadModel,
  archive: LeaderboardReadModel,
  places: readonly EntryPlace[],
): Promise<Answer<Entries>> {
  const answer = await hot.entries(places);
  if (answer.kind === 'lost') return answer;
  const isKnown = (entry: Entry | undefined) =>
    entry !== undefined && (entry.status !== 'void-closed' || entry.total !== null);
  const asked = places.filter((_, n) => !isKnown(answer.entries[n]));
  if (asked.length === 0) return answer;
  const archived = await archive.entries(asked);
  // Of a score that nobody has seen yet the archive knows nothing either, or as much as it will always say.
  if (archived.kind === 'lost')
    return answer.entries.includes(undefined) ? { of: 'archive', ...archived } : answer;
  const found = archived.entries[Symbol.iterator]();
  const merged = answer.entries.map((entry) =>
    isKnown(entry) ? entry : (found.next().value ?? entry),
  );
  return { ...answer, entries: merged };
}
