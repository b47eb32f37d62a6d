import type { RecordedEvent } from '@annals/event-log';
import {
  defineProjection,
  type Handler,
  type RowAddress,
  type Rows,
  type Table,
} from '@annals/projection';
import {
  archiveEvents,
  type BoardConfigured,
  leaderboardEvents,
  type PeriodCloseCompleted,
  type PeriodClosed,
  type ScoreRecorded,
  type ScoresArchived,
} from '../events.ts';
import { type EntryStatus, nextScore, standingOf } from '../state.ts';
import { categories, playerOfSubject, shareKey } from '../streams.ts';

/**
 * One row for each player on a board in a period. `standing` is what boards are sorted by, ascending:
 * the score, negated where the highest comes first. `reached_at` and `reached_by` are recordedAt and id
 * of the event that brought the present score. `last_revision` is the newest counted entry of the row.
 */
const scores: Table = {
  name: 'scores',
  columns: {
    board: 'text',
    period: 'text',
    user_id: 'text',
    score: 'integer',
    standing: 'integer',
    reached_at: 'integer',
    reached_by: 'text',
    matches: 'integer',
    last_revision: 'integer',
  },
  key: ['board', 'period', 'user_id'],
  indexes: { standing: ['board', 'period', 'standing', 'reached_at', 'reached_by', 'user_id'] },
  ranked: { group: ['board', 'period'], score: 'score' },
};

/**
 * What became of each score event. `total` is the player's score after it (null: none yet); `previous`
 * is the revision of the counted entry before it of the same player, board and period. All else is read
 * from the log by (stream, revision), so that a rebuild stays quick.
 */
const entries: Table = {
  name: 'entries',
  columns: {
    stream: 'text',
    revision: 'integer',
    status: 'text',
    total: 'integer',
    previous: 'integer',
  },
  key: ['stream', 'revision'],
  writeOnly: true,
};

/** The periods that are closed in one bucket. */
const closedPeriods: Table = {
  name: 'closed_periods',
  columns: { stream: 'text', period: 'text' },
  key: ['stream', 'period'],
};

const boards: Table = {
  name: 'boards',
  columns: {
    board: 'text',
    operator: 'text',
    sort_order: 'text',
    reset: 'text',
    buckets: 'integer',
    created_at: 'integer',
  },
  key: ['board'],
  writeOnly: true,
};

/** The periods that are closed in every bucket of their board. */
const periods: Table = {
  name: 'periods',
  columns: { board: 'text', period: 'text', closed_at: 'integer' },
  key: ['board', 'period'],
  writeOnly: true,
};

/**
 * Names and pictures. Of an erased player a row without them stays: a name that was on its way into the
 * log as its player was erased may come behind the erasure, while its key can still be read.
 */
const players: Table = {
  name: 'players',
  columns: { user_id: 'text', name: 'text', picture: 'text', erased: 'integer' },
  key: ['user_id'],
};

interface ScoreRow {
  readonly score: number;
  readonly reached_at: number;
  readonly reached_by: string;
  readonly matches: number;
  readonly last_revision: number;
}

const nothing: readonly RowAddress[] = [];

/** The fold of a bucket's stream: every projection that says what counts says it with these lines. */
function recordScore(
  { id, stream, revision, recordedAt, data }: RecordedEvent<ScoreRecorded>,
  rows: Rows,
): void {
  const { board, period, user_id, points, operator, order } = data;
  const row = rows.get('scores', [board, period, user_id]) as ScoreRow | undefined;
  const score = nextScore(row?.score, points, operator, order);
  const status = statusOf(rows.get('closed_periods', [stream, period]) !== undefined, score);
  if (status !== 'counted') {
    rows.put('entries', { stream, revision, status, total: row?.score ?? null, previous: null });
    return;
  }
  const previous = row?.last_revision ?? null;
  rows.put('entries', { stream, revision, status, total: score, previous });
  const reachedBefore = row?.score === score;
  rows.put('scores', {
    board,
    period,
    user_id,
    score,
    standing: standingOf(score, order),
    reached_at: reachedBefore ? row.reached_at : recordedAt,
    reached_by: reachedBefore ? row.reached_by : id,
    matches: row ? row.matches + 1 : 1,
    last_revision: revision,
  });
}

function statusOf(closed: boolean, score: number): EntryStatus {
  if (closed) return 'void-closed';
  return Number.isSafeInteger(score) ? 'counted' : 'void-out-of-range';
}

const scoreRecordedHandler: Handler<RecordedEvent<ScoreRecorded>> = {
  touches: ({ stream, data }) => [
    { table: 'closed_periods', key: [stream, data.period] },
    { table: 'scores', key: [data.board, data.period, data.user_id] },
  ],
  apply: recordScore,
};

const periodClosedHandler: Handler<RecordedEvent<PeriodClosed>> = {
  touches: ({ stream, data }) => [{ table: 'closed_periods', key: [stream, data.period] }],
  apply: ({ stream, data }, rows) => rows.put('closed_periods', { stream, period: data.period }),
};

const boardConfiguredHandler: Handler<RecordedEvent<BoardConfigured>> = {
  touches: () => nothing,
  apply: ({ recordedAt, data: { order, ...settings } }, rows) =>
    rows.put('boards', { ...settings, sort_order: order, created_at: recordedAt }),
};

const closeCompletedHandler: Handler<RecordedEvent<PeriodCloseCompleted>> = {
  touches: () => nothing,
  apply: ({ recordedAt, data }, rows) =>
    rows.put('periods', { board: data.board, period: data.period, closed_at: recordedAt }),
};

/** What both projections do. */
const sharedHandlers = {
  'score-recorded': scoreRecordedHandler,
  'period-closed': periodClosedHandler,
  'board-configured': boardConfiguredHandler,
  'period-close-started': 'ignored',
  'period-close-completed': closeCompletedHandler,
  'period-archived': 'ignored',
} as const;

/** The archive has them: score and entries leave, by the log's word, so that every rebuild lets them go alike. */
function letGo({ stream, data }: RecordedEvent<ScoresArchived>, rows: Rows): void {
  const { board, period, user_ids, revisions } = data;
  // Only of a period that is closed in this bucket nothing can be added any more.
  if (rows.get('closed_periods', [stream, period]) === undefined) return;
  for (const user_id of user_ids) rows.delete('scores', [board, period, user_id]);
  for (const revision of revisions) rows.delete('entries', [stream, revision]);
}

export const leaderboardProjection = defineProjection({
  name: 'leaderboard',
  version: 1,
  categories,
  tables: [scores, entries, closedPeriods, boards, periods, players],
  split: 'stream',
  shareKey,
  onFailure: 'park',
  types: leaderboardEvents,
  handlers: {
    ...sharedHandlers,
    'scores-archived': {
      touches: ({ stream, data }) => [
        { table: 'closed_periods', key: [stream, data.period] },
        ...data.user_ids.map((user_id) => ({
          ...{ table: 'scores', key: [data.board, data.period, user_id] },
        })),
      ],
      apply: letGo,
    },
    'player-named': {
      touches: ({ data }) => [{ table: 'players', key: [data.user_id] }],
      apply: (event, rows) => {
        const { user_id } = event.data;
        if (event.erased || rows.get('players', [user_id])?.erased === 1) return;
        const { name, picture } = event.data;
        rows.put('players', { user_id, name, picture: picture ?? null, erased: 0 });
      },
    },
    'subject-erased': {
      touches: ({ data }) => {
        const user_id = playerOfSubject(data.subject);
        return user_id === undefined ? nothing : [{ table: 'players', key: [user_id] }];
      },
      apply: ({ data }, rows) => {
        const user_id = playerOfSubject(data.subject);
        if (user_id === undefined) return;
        rows.put('players', { user_id, name: null, picture: null, erased: 1 });
      },
    },
  },
});

/**
 * The archive of closed periods: the same fold, which lets nothing go, on a store where room is cheap. It is a projection
 * like any other, so it is rebuilt, verified and promoted like one. Names stay in the leaderboard's own
 * read model: there is no personal data in here, and its table of players is empty.
 */
export const leaderboardArchiveProjection = defineProjection({
  name: 'leaderboard-archive',
  version: 1,
  categories: ['scores', 'board'],
  tables: [scores, entries, closedPeriods, boards, periods, players],
  split: 'stream',
  shareKey,
  onFailure: 'park',
  types: archiveEvents,
  handlers: { ...sharedHandlers, 'scores-archived': 'ignored' },
});
