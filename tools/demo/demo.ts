import type { FriendRanks, Standing } from './answers.ts';
import { makeBoard, takePicture, untilVisible, type Visit, visit } from './board.ts';
import { Chance } from './chance.ts';
import { type Drill, drill } from './drill.ts';
import type { Options } from './options.ts';
import {
  aroundRows,
  faults,
  type Picture,
  placeFaults,
  type Row,
  type Ties,
  tiesIn,
} from './picture.ts';
import { type Board, namePlayers, playScores } from './play.ts';
import {
  monthUpTo,
  type Player,
  type Score,
  seasonPlayers,
  seasonScores,
  totalsOf,
} from './season.ts';
import type { Service } from './service.ts';
import { showBoard, showDrill } from './show.ts';
import { count, type Stage, seconds } from './stage.ts';

/** Everything the demo found: what `--json` prints. */
export interface Summary {
  readonly service: { readonly url: string; readonly own: boolean; readonly data: string | null };
  readonly run: string;
  readonly seed: number;
  readonly leaderboard: string;
  readonly period: string;
  readonly players: number;
  readonly matches: number;
  readonly scores: number;
  readonly play_ms: number;
  readonly scores_per_second: number;
  readonly players_on_board: number;
  readonly ties: Ties;
  readonly top: readonly Row[];
  readonly standing: Standing;
  readonly friends: FriendRanks;
  readonly resent: { readonly scores: number; readonly counted: number };
  /** What plain addition of the matches says against the board; empty when nothing does. */
  readonly faults: readonly string[];
  /** Null when the data folder is not known: then nothing is killed. */
  readonly drill: Drill | null;
  readonly ok: boolean;
}

interface Season {
  readonly run: string;
  readonly board: Board;
  readonly players: readonly Player[];
  readonly scores: readonly Score[];
}

/** Scores that are sent a second time, from the middle of the month: in a batch and one by one. */
const resentMax = 400;
const friendsCount = 7;

/** Plays the whole demo on a service. `now` in milliseconds since 1970. */
export async function playDemo(
  service: Service,
  stage: Stage,
  options: Options,
  { now, signal }: { readonly now: number; readonly signal: AbortSignal },
): Promise<Summary> {
  const { client } = service;
  const chance = new Chance(options.seed);
  const season = seasonFrom(chance, options, now);
  const { run, board, players, scores } = season;
  const playMs = await playMonth(service, stage, season);

  stage.act(`The board of ${board.period}`);
  const picture = await takePicture(client, board);
  const ties = tiesIn(picture);
  const seen = await lookAround(service, stage, season, { chance, picture, ties });

  stage.act('Sending matches again');
  const resent = await sendAgain(service, season);
  stage.verdict(
    resent.counted === 0,
    `${count(resent.scores)} scores sent a second time: ${count(resent.counted)} counted`,
  );
  const wrong = [
    ...faults(await takePicture(client, board), totalsOf(scores)),
    // Where others write too, the board may have gone on between the two.
    ...(service.own || seen.asOf === picture.asOf ? placeFaults(picture, seen.standing) : []),
  ];
  stage.verdict(
    wrong.length === 0,
    `plain addition of all ${count(scores.length)} scores gives the same totals, ranks and percentile`,
  );
  for (const fault of wrong) stage.say(`  ${fault}`);

  const drilled = await drillIfMay({ service, stage, board, run, scores, signal });
  return {
    service: { url: service.url, own: service.own, data: service.dataFolder ?? null },
    run,
    seed: options.seed,
    ...board,
    players: players.length,
    matches: options.matches,
    scores: scores.length,
    play_ms: Math.round(playMs),
    scores_per_second: Math.round((scores.length * 1_000) / Math.max(1, playMs)),
    players_on_board: picture.rows.length,
    ties,
    top: seen.top,
    standing: seen.standing,
    friends: seen.friends,
    resent,
    faults: wrong,
    drill: drilled,
    ok: resent.counted === 0 && wrong.length === 0 && (drilled?.ok ?? true),
  };
}

function seasonFrom(chance: Chance, options: Options, now: number): Season {
  // Two runs, also of one seed, never share a player or a match: their times of play differ.
  const run = `demo-${now.toString(36)}`;
  const month = monthUpTo(now);
  const players = seasonPlayers(chance, run, options.players);
  const scores = seasonScores(chance, run, players, options.matches, month);
  return {
    run,
    board: { leaderboard: options.leaderboard, period: month.period },
    players,
    scores,
  };
}

/** Names the players and plays all matches; the milliseconds that the matches took. */
async function playMonth(
  { client }: Service,
  stage: Stage,
  { board, players, scores }: Season,
): Promise<number> {
  stage.act(`${count(players.length)} players, ${count(scores.length / 2)} matches`);
  await makeBoard(client, board.leaderboard);
  const naming = stage.progress('naming ', 'players', players.length);
  await namePlayers(client, players, () => naming.add(1)).finally(() => naming.stop());
  const playing = stage.progress('playing', 'scores', scores.length);
  const startedAt = performance.now();
  const played = await playScores(client, board, scores, (more) => playing.add(more)).finally(() =>
    playing.stop(),
  );
  await untilVisible(client, board, played.unseen);
  const ms = performance.now() - startedAt;
  const rate = count(Math.round((scores.length * 1_000) / ms));
  stage.say(`${count(scores.length)} scores stored durably in ${seconds(ms)}: ${rate} a second`);
  return ms;
}

/** Shows the top 10, a player near the middle with the neighbours, and that player among friends. */
async function lookAround(
  { client }: Service,
  stage: Stage,
  { board, players }: Season,
  { chance, picture, ties }: { chance: Chance; picture: Picture; ties: Ties },
): Promise<Visit & { readonly asOf: string }> {
  const ours = new Set(players.map(({ userId }) => userId));
  const onBoard = picture.rows.filter(({ user_id }) => ours.has(user_id));
  const userId = onBoard[Math.floor(onBoard.length / 2)]?.user_id;
  if (userId === undefined) throw new RangeError('nobody has played');
  const others = chance.shuffled(onBoard).slice(0, friendsCount);
  const friends = [...new Set([userId, ...others.map(({ user_id }) => user_id)])];
  const seen = await visit(client, board, { userId, friends });
  const place = picture.rows.findIndex(({ user_id }) => user_id === userId);
  showBoard(stage, { visit: seen, above: Math.min(place, aroundRows), ties });
  return seen;
}

async function sendAgain(
  { client }: Service,
  { board, scores }: Season,
): Promise<Summary['resent']> {
  const middle = Math.floor(scores.length / 2);
  const again = scores.slice(Math.max(0, middle - resentMax / 2), middle + resentMax / 2);
  const { recorded } = await playScores(client, board, again, () => undefined);
  return { scores: again.length, counted: recorded };
}

async function drillIfMay(
  on: Omit<Parameters<typeof drill>[0], 'service'> & { readonly service: Service },
): Promise<Drill | null> {
  const { service, stage } = on;
  const { dataFolder } = service;
  if (dataFolder === undefined) {
    stage.act('The read model is left alone');
    stage.say('Say where its data is with --data, and it is killed and rebuilt from the log.');
    return null;
  }
  stage.act('Killing the read model');
  const drilled = await drill({ ...on, service: { ...service, dataFolder } });
  showDrill(stage, drilled, service.own);
  return drilled;
}
