import type { Clock } from '@annals/core';
import {
  type EventStream,
  eventStream,
  integerParameter,
  lastEventId,
  Problem,
  type Route,
  route,
} from '@annals/http';
import {
  boardIdSchema,
  type Leaderboard,
  periodSchema,
  tiesSchema,
  userIdSchema,
} from '@annals/leaderboard';
import { ranked } from './answers.ts';
import { problemOf } from './errors.ts';

/** Limits of live boards. Units are last in the name. */
export const liveLimits = {
  topRowsDefault: 10,
  topRowsMax: 100,
  /** Boards are read at most this often, however many scores arrive and however many watch. */
  intervalMs: 200,
} as const;

interface LiveQuery {
  readonly board: string;
  readonly period: string | undefined;
  readonly ties: 'standard' | 'dense';
  readonly top: number;
  readonly userId: string | undefined;
}

export interface LiveMeans {
  readonly service: Pick<Leaderboard, 'top' | 'standing'>;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Calls the listener when the read model may answer otherwise; returns what stops that. */
  readonly onChange: (listener: () => void) => () => void;
}

/** One state of a board as it is shown; `shown` changes only when a watcher would see a difference. */
type Shown =
  | { readonly kind: 'shown'; readonly shown: string; readonly asOf: string }
  | { readonly kind: 'problem'; readonly problem: Problem };

interface Watcher {
  readonly query: LiveQuery;
  readonly stream: EventStream;
  last: string | undefined;
}

/**
 * Boards that are being watched. However many watch the same board, it is read once for all of them,
 * and each is told only when what it watches has changed.
 */
export class LiveBoards {
  readonly #means: LiveMeans;
  readonly #watchers = new Set<Watcher>();
  readonly #unlisten: () => void;
  readonly #stop = new AbortController();
  #changed = false;
  #running: Promise<void> | undefined;

  constructor(means: LiveMeans) {
    this.#means = means;
    this.#unlisten = means.onChange(() => this.#onChange());
  }

  /** The board as it is now; `minPosition` makes the answer no older than what a client saw before. */
  read(query: LiveQuery, minPosition?: string): Promise<Shown> {
    return readBoard(this.#means.service, query, minPosition);
  }

  /** Sends the board now, unless the client saw this very state, and whenever it changes. */
  watch(query: LiveQuery, stream: EventStream, first: Shown, lastSeen: string | undefined): void {
    const watcher: Watcher = { query, stream, last: undefined };
    if (first.kind === 'shown' && first.asOf === lastSeen) watcher.last = first.shown;
    this.#watchers.add(watcher);
    stream.signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true });
    tell(watcher, first);
    // Something may have changed between the read and now.
    this.#onChange();
  }

  async close(): Promise<void> {
    this.#unlisten();
    this.#stop.abort();
    await this.#running;
  }

  #onChange(): void {
    this.#changed = true;
    if (this.#running || this.#watchers.size === 0 || this.#stop.signal.aborted) return;
    this.#running = this.#tellWhileChanged().finally(() => {
      this.#running = undefined;
      if (this.#changed) this.#onChange();
    });
  }

  async #tellWhileChanged(): Promise<void> {
    while (this.#changed && this.#watchers.size > 0 && !this.#stop.signal.aborted) {
      await this.#means.clock.sleep(liveLimits.intervalMs, this.#stop.signal);
      this.#changed = false;
      await this.#tellAll();
    }
  }

  async #tellAll(): Promise<void> {
    const reads = new Map<string, Promise<Shown>>();
    const told = [...this.#watchers].map(async (watcher) => {
      const key = JSON.stringify(Object.values(watcher.query));
      const reading = reads.get(key) ?? this.read(watcher.query);
      reads.set(key, reading);
      tell(watcher, await reading);
    });
    // A read that fails is told by the next request; a stream only misses one state.
    await Promise.allSettled(told);
  }
}

function tell(watcher: Watcher, state: Shown): void {
  const { stream } = watcher;
  if (state.kind === 'problem') {
    const { code, message: detail } = state.problem;
    const data = JSON.stringify({ code, detail });
    if (watcher.last !== data) stream.send({ event: 'problem', data });
    watcher.last = data;
    return;
  }
  if (watcher.last === state.shown) return;
  watcher.last = state.shown;
  stream.send({ event: 'board', id: state.asOf, data: state.shown });
}

async function readBoard(
  service: LiveMeans['service'],
  query: LiveQuery,
  minPosition: string | undefined,
): Promise<Shown> {
  const options = {
    board: query.board,
    ties: query.ties,
    ...(query.period === undefined ? {} : { period: query.period }),
    ...(minPosition === undefined ? {} : { minPosition }),
  };
  const top = await service.top({ ...options, limit: query.top, offset: 0 });
  if (top.kind !== 'answer') return { kind: 'problem', problem: problemOf(top) };
  const { rows, players, period, asOf } = top;
  const board = { period, players, data: rows.map(ranked) };
  if (query.userId === undefined) return { kind: 'shown', shown: JSON.stringify(board), asOf };
  const standing = await service.standing({ ...options, userId: query.userId, around: 0 });
  if (standing.kind !== 'answer') return { kind: 'problem', problem: problemOf(standing) };
  const player = standing.row ? ranked(standing.row) : null;
  return { kind: 'shown', shown: JSON.stringify({ ...board, player }), asOf };
}

export function liveRoute(live: LiveBoards): Route {
  return route({
    method: 'GET',
    url: '/v1/leaderboards/:id/live',
    scope: 'scores:read',
    tag: 'leaderboards',
    summary: 'The top of a leaderboard as it changes (server-sent events)',
    description:
      'Events of type `board` carry the whole state; their id is what a client resumes with ' +
      '(Last-Event-ID): it is then never shown an older state. With user_id, `player` is that ' +
      'player. A client that reads too slowly is dropped, and connects again.',
    params: { id: boardIdSchema },
    query: {
      period: periodSchema.optional(),
      ties: tiesSchema.optional(),
      top: integerParameter({ min: 1, max: liveLimits.topRowsMax }).optional(),
      user_id: userIdSchema.optional(),
    },
    streams: true,
    problems: [
      'unknown-board',
      'invalid-period',
      'invalid-position',
      'not-there-yet',
      'read-model-lost',
    ],
    handler: async (request, reply) => {
      const { period, ties = 'standard', top = liveLimits.topRowsDefault, user_id } = request.query;
      const query = { board: request.params.id, period, ties, top, userId: user_id };
      const lastSeen = lastEventId(request);
      const first = await live.read(query, lastSeen);
      if (first.kind === 'problem') return first.problem;
      const stream = eventStream(reply);
      if (stream instanceof Problem) return stream;
      live.watch(query, stream, first, lastSeen);
      return reply;
    },
  });
}
