import { type Chance, weightedIndex } from './chance.ts';
import { playerName } from './names.ts';

export interface Player {
  readonly userId: string;
  readonly name: string;
  /** How well the player plays: log-normal, 1 in the middle. */
  readonly strength: number;
  /** How often the player plays, as a weight. */
  readonly activity: number;
}

/** One score as `POST /v1/scores` takes it. */
export interface Score {
  readonly user_id: string;
  readonly match_id: string;
  readonly points: number;
  readonly occurred_at: string;
}

/** Spread of strength; a third of the players are stronger or weaker than e^±0.6. */
const strengthSigma = 0.6;
/** Zipf–Mandelbrot: the k-th most active player plays in proportion to (k + offset)^-exponent. */
const activityExponent = 0.9;
const activityOffset = 10;
/** How often equals draw: 0.7 / (1 + 1 + 0.7), about a quarter, as in association football. */
const drawishness = 0.7;

/** Players of one run: their ids begin with `run`, so that two runs never share a player. */
export function seasonPlayers(chance: Chance, run: string, count: number): Player[] {
  const places = Array.from({ length: count }, (_, place) => place);
  const digits = String(count).length;
  return chance.shuffled(places).map((place, index) => ({
    userId: `${run}-${String(index + 1).padStart(digits, '0')}`,
    name: playerName(chance),
    strength: chance.logNormal(strengthSigma),
    activity: (place + 1 + activityOffset) ** -activityExponent,
  }));
}

export interface Month {
  /** Milliseconds since 1970, in UTC. */
  readonly from: number;
  readonly until: number;
  /** As the leaderboard names it: `2026-11`. */
  readonly period: string;
}

/** The current month up to now. */
export function monthUpTo(now: number): Month {
  const date = new Date(now);
  const from = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  return { from, until: now, period: date.toISOString().slice(0, 7) };
}

/**
 * The scores of a month of matches between two players each, oldest match first: 3 points for a win,
 * 1 each for a draw, 0 for a defeat, so that many totals tie. `players` are at least two.
 */
export function seasonScores(
  chance: Chance,
  run: string,
  players: readonly Player[],
  matches: number,
  month: Month,
): Score[] {
  if (players.length < 2) throw new RangeError('a match needs two players');
  const draw = weightedIndex(players.map((player) => player.activity));
  const spanMs = month.until - month.from;
  const times = Array.from(
    { length: matches },
    () => month.from + Math.floor(chance.share() * spanMs),
  ).sort((a, b) => a - b);
  return times.flatMap((time, index) => {
    const home = draw(chance);
    let away = draw(chance);
    // A match is not played alone: two who play all the time may draw each other's index again.
    while (away === home) away = (draw(chance) + chance.below(players.length)) % players.length;
    const pair = [players[home], players[away]] as [Player, Player];
    const points = matchPoints(pair[0].strength, pair[1].strength, chance.share());
    const match = {
      match_id: `${run}-m${index + 1}`,
      occurred_at: new Date(time).toISOString(),
    };
    return pair.map((player, side) => ({
      user_id: player.userId,
      points: points[side] as number,
      ...match,
    }));
  });
}

/**
 * Points of both sides. Who wins, and whether nobody does, by Davidson's extension of the
 * Bradley–Terry model to ties (J. Amer. Statist. Assoc. 65, 1970); `share` is from 0 to below 1.
 */
export function matchPoints(
  home: number,
  away: number,
  share: number,
): readonly [home: number, away: number] {
  const level = drawishness * Math.sqrt(home * away);
  const drawn = share * (home + away + level);
  if (drawn < home) return [3, 0];
  return drawn < home + away ? [0, 3] : [1, 1];
}

/** What every player's score must be, by plain addition. */
export function totalsOf(scores: readonly Score[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { user_id, points } of scores) {
    totals.set(user_id, (totals.get(user_id) ?? 0) + points);
  }
  return totals;
}
