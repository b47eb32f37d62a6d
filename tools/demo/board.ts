import {
  type FriendRanks,
  pageAnswer,
  ranksAnswer,
  type Standing,
  standingAnswer,
} from './answers.ts';
import { type Client, UnexpectedAnswerError } from './client.ts';
import { limits } from './limits.ts';
import type { Picture, Row } from './picture.ts';
import type { Board } from './play.ts';
import { together } from './together.ts';

/** Times something is looked at anew when the board changes meanwhile. */
const looksMax = 5;

/** Makes the board, or makes sure that it is a monthly one that adds up points. */
export async function makeBoard(client: Client, leaderboard: string): Promise<void> {
  const body = { operator: 'increment', order: 'desc', reset: 'monthly' };
  await client.tell({ method: 'PUT', path: `/v1/leaderboards/${leaderboard}`, body });
}

/** Waits until reads cover these positions. */
export async function untilVisible(
  client: Client,
  board: Board,
  positions: readonly string[],
): Promise<void> {
  await together(positions, limits.requestsAtOnceMax, async (position) => {
    await client.tell({ path: pagePath(board, { 'min-position': position, limit: 1 }) });
  });
}

/** What a visitor looks at. */
export interface Visit {
  readonly top: readonly Row[];
  readonly standing: Standing;
  readonly friends: FriendRanks;
}

/** The top 10, one player with the neighbours, and the ranks among friends, at the checkpoint of `picture`. */
export async function visit(
  client: Client,
  board: Board,
  who: { readonly userId: string; readonly friends: readonly string[] },
): Promise<Visit & { readonly asOf: string }> {
  const { userId, friends: userIds } = who;
  const query = new URLSearchParams({ ...board });
  const own = { path: `/v1/scores/${encodeURIComponent(userId)}?${query}` };
  const body = { user_ids: userIds, ...board };
  return settled(board, async () => {
    const top = await client.ask({ path: pagePath(board, { limit: 10 }) }, pageAnswer);
    const standing = await client.ask(own, standingAnswer);
    const ranks = await client.ask({ method: 'POST', path: '/v1/scores/ranks', body }, ranksAnswer);
    const asOf = top.as_of;
    return [standing, ranks].every((answer) => answer.as_of === asOf)
      ? { top: top.data, standing, friends: ranks.data, asOf }
      : undefined;
  });
}

/**
 * All rows of a board by pages, at one checkpoint. Begins anew when the board changes between two
 * pages; throws UnexpectedAnswerError when it does so again and again.
 */
export async function takePicture(client: Client, board: Board): Promise<Picture> {
  return settled(board, () => rowsAtOnce(client, board));
}

async function rowsAtOnce(client: Client, board: Board): Promise<Picture | undefined> {
  const rows: Row[] = [];
  let asOf: string | undefined;
  for (;;) {
    const path = pagePath(board, { limit: limits.pageRowsMax, offset: rows.length });
    const page = await client.ask({ path }, pageAnswer);
    asOf ??= page.as_of;
    if (page.as_of !== asOf) return undefined;
    rows.push(...page.data);
    if (rows.length === page.players) return { rows, asOf };
    if (page.data.length === 0) {
      const detail = `${rows.length} rows in all, and ${page.players} players`;
      throw new UnexpectedAnswerError({ path }, 200, detail);
    }
  }
}

/** Looks until nothing changed meanwhile. */
async function settled<T>(board: Board, look: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 1; attempt <= looksMax; attempt += 1) {
    const seen = await look();
    if (seen !== undefined) return seen;
  }
  const detail = `the service changed under ${looksMax} looks at it: somebody else is writing`;
  throw new UnexpectedAnswerError({ path: pagePath(board, {}) }, 200, detail);
}

/** Path and query of one page. */
export function pagePath(board: Board, more: Readonly<Record<string, string | number>>): string {
  const query = new URLSearchParams({ ...board });
  for (const [name, value] of Object.entries(more)) query.set(name, String(value));
  return `/v1/scores?${query}`;
}
