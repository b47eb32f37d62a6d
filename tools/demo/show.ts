import type { Visit } from './board.ts';
import type { Drill } from './drill.ts';
import type { Difference, Row, Ties } from './picture.ts';
import { count, type Stage, seconds } from './stage.ts';

/** The board as people look at it. */
export function showBoard(
  stage: Stage,
  shown: {
    readonly visit: Visit;
    /** How many of the neighbours stand above. */
    readonly above: number;
    readonly ties: Ties;
  },
): void {
  const { above, ties } = shown;
  const { top, standing, friends } = shown.visit;
  const { user_info: own, neighbors, players } = standing;
  const head = ['rank', 'player', 'id', 'score'];
  stage.table(head, top.map(cells));
  stage.say(
    `${count(ties.tied_players)} of ${count(players)} players share their score with somebody; ` +
      `the largest tie has ${count(ties.largest_tie)}`,
  );
  const name = own.user_name ?? own.user_id;
  stage.say(
    `\n${name} has ${count(own.score)} points of ${count(own.matches)} matches: rank ` +
      `${count(own.rank)} of ${count(players)}, ahead of ${own.percentile} % of all`,
  );
  stage.table(head, neighbors.toSpliced(above, 0, own).map(cells));
  stage.say(`\n${name} among friends:`);
  stage.table(
    ['place', 'player', 'id', 'score', 'rank'],
    friends.map((row) => [...cells(row), row.board_rank]),
  );
}

function cells({ rank, user_name, user_id, score }: Row): (string | number)[] {
  return [rank, user_name ?? '', user_id, score];
}

/** What the drill found. `own`: nobody but the demo writes to the service. */
export function showDrill(stage: Stage, found: Drill, own: boolean): void {
  const { writes_accepted: accepted, writes_refused: refused } = found;
  stage.verdict(
    refused.length === 0 && accepted > 0,
    `${count(accepted)} writes were accepted while it was gone, ${count(refused.length)} refused`,
  );
  for (const answer of refused) stage.say(`  ${answer}`);
  stage.verdict(
    found.writes_on_board === accepted,
    `${count(found.writes_on_board)} of them are on their board now`,
  );
  stage.verdict(
    found.resent_counted === 0,
    `${count(found.resent)} scores sent again meanwhile: ${count(found.resent_counted)} counted twice`,
  );
  stage.verdict(
    found.differing_rows === 0,
    found.differing_rows === 0
      ? `back after ${seconds(found.outage_ms)}: of ${count(found.rows)} rows not one rank differs`
      : `${count(found.differing_rows)} of ${count(found.rows)} rows differ`,
  );
  for (const difference of found.differences) stage.say(`  ${differenceText(difference)}`);
  if (found.differing_rows > 0 && !own) {
    stage.say('  Somebody else may have written to this board meanwhile.');
  }
}

/** `place 3: ann rank 3 score 12 → bob rank 3 score 12` */
export function differenceText({ place, before, after }: Difference): string {
  const text = (row: Row | undefined) =>
    row
      ? `${row.user_id} (${row.user_name ?? 'no name'}) rank ${row.rank} score ${row.score}`
      : 'nobody';
  return `place ${place}: ${text(before)} → ${text(after)}`;
}
