import { createHash } from 'node:crypto';
import { limits } from './limits.ts';

/** One row of a board as the API shows it. */
export interface Row {
  readonly rank: number;
  readonly user_id: string;
  readonly user_name: string | null;
  readonly score: number;
}

/** A whole board, best first. */
export interface Picture {
  readonly rows: readonly Row[];
  /** The checkpoint it is good for, opaque. */
  readonly asOf: string;
}

/** One place of the board before and after; undefined where one of the two has no such place. */
export interface Difference {
  readonly place: number;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** SHA-256 over all rows in order, as hex: equal pictures have equal fingerprints. */
export function fingerprint({ rows }: Pick<Picture, 'rows'>): string {
  const hash = createHash('sha256');
  for (const row of rows) hash.update(`${rowText(row)}\n`);
  return hash.digest('hex');
}

/** Every place that differs, from the top. Places begin with 1. */
export function differences(
  before: Pick<Picture, 'rows'>,
  after: Pick<Picture, 'rows'>,
): Difference[] {
  const places = Math.max(before.rows.length, after.rows.length);
  const found: Difference[] = [];
  for (let index = 0; index < places; index += 1) {
    const [was, is] = [before.rows[index], after.rows[index]];
    if (was && is && rowText(was) === rowText(is)) continue;
    found.push({ place: index + 1, before: was, after: is });
  }
  return found;
}

function rowText({ rank, user_id, user_name, score }: Row): string {
  return JSON.stringify([rank, user_id, user_name, score]);
}

/**
 * What is wrong with a picture by plain arithmetic, at most `limits.differencesShownMax` sentences:
 * scores go down, equal scores share the rank 1 + (rows above with more), nobody stands twice, and
 * every player of `totals` (all of them ours) has exactly that score.
 */
export function faults(
  { rows }: Pick<Picture, 'rows'>,
  totals: ReadonlyMap<string, number>,
): string[] {
  const found: string[] = [];
  const seen = new Map<string, number>();
  let rank = 1;
  for (const [index, row] of rows.entries()) {
    const above = rows[index - 1];
    if (above && row.score > above.score) {
      found.push(`${row.user_id} has ${row.score} and stands below ${above.score}`);
    }
    if (above && row.score !== above.score) rank = index + 1;
    if (row.rank !== rank) found.push(`${row.user_id} has rank ${row.rank}, not ${rank}`);
    if (seen.has(row.user_id)) found.push(`${row.user_id} stands on the board twice`);
    seen.set(row.user_id, row.score);
  }
  for (const [userId, total] of totals) {
    const score = seen.get(userId);
    if (score === total) continue;
    found.push(`${userId} has ${score ?? 'no score'}, and the matches give ${total}`);
  }
  return found.slice(0, limits.differencesShownMax);
}

/** A player's own page, as `GET /v1/scores/{user_id}` shows it. */
export interface Place {
  readonly user_info: Row & { readonly percentile: number };
  readonly neighbors: readonly Row[];
}

/** Neighbours on either side that the API shows unless told. */
export const aroundRows = 4;

/** Where a player's own page says something else than the picture of the whole board. */
export function placeFaults(
  { rows }: Pick<Picture, 'rows'>,
  { user_info: own, neighbors }: Place,
): string[] {
  const index = rows.findIndex(({ user_id }) => user_id === own.user_id);
  const row = rows[index];
  if (!row) return [`${own.user_id} does not stand on the board`];
  const expected = [
    ...rows.slice(Math.max(0, index - aroundRows), index),
    ...rows.slice(index + 1, index + 1 + aroundRows),
  ];
  const behind = rows.filter(({ score }) => score < row.score).length;
  const percentile = Math.floor((behind * 10_000) / rows.length) / 100;
  return [
    rowText(own) === rowText(row) ? [] : [`${own.user_id} has another rank, name or score alone`],
    fingerprint({ rows: neighbors }) === fingerprint({ rows: expected })
      ? []
      : [`the neighbours of ${own.user_id} are others than on the board`],
    own.percentile === percentile
      ? []
      : [`${own.user_id} is ahead of ${own.percentile} %, and of ${percentile} % by counting`],
  ].flat();
}

export interface Ties {
  readonly distinct_scores: number;
  /** Players who share a score with somebody. */
  readonly tied_players: number;
  readonly largest_tie: number;
}

export function tiesIn({ rows }: Pick<Picture, 'rows'>): Ties {
  const players = new Map<number, number>();
  for (const { score } of rows) players.set(score, (players.get(score) ?? 0) + 1);
  const sizes = [...players.values()];
  return {
    distinct_scores: sizes.length,
    tied_players: sizes.filter((size) => size > 1).reduce((sum, size) => sum + size, 0),
    largest_tie: sizes.reduce((most, size) => Math.max(most, size), 0),
  };
}
