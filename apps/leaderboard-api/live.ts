import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll, decodeCheckpoint } from '@annals/event-log';
import {
  type EventStream,
  eventStream,
  integerParameter,
  lastEventId,
  Problem,
  type Route,
  route,
  unavailable,
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
  /** Bytes that may wait for a slow client: a few states of the largest board. */
  bufferBytesMax: 1_048_576,
  /** Watchers told in one turn of the event loop: other requests get theirs in between. */
  toldAtOnceMax: 32,
  /** A clock that is set forward is noticed within this time. */
  calendarMsMax: 60_000,
} as const;

const dayMs = 86_400_000;

/** What one client watches: the top of a board in a period and, with `userId`, that player. */
export interface LiveQuery {
  readonly board: string;
  /** The current period, whichever it is, unless told. */
  readonly period: string | undefined;
  readonly ties: 'standard' | 'dense';
  readonly top: number;
  readonly userId: string | undefined;
}

export interface LiveMeans {
  readonly service: Pick<Leaderboard, 'top' | 'standing'>;
  readonly clock: Clock;
  /** Calls the listener when the read model may answer otherwise; returns what stops that. */
  readonly onChange: (listener: () => void) => () => void;
  /** Told once when reads begin to fail, with what failed. */
  readonly onTrouble?: (error: unknown) => void;
  /** The end of the log, as durable now. */
  readonly head: () => Promise<Checkpoint>;
}

/** One state of a board as it is shown; `shown` changes only when a watcher would see a difference. */
export type Shown =
  | {
      readonly kind: 'shown';
      readonly shown: string;
      readonly period: string;
      readonly asOf: string;
    }
  | { readonly kind: 'problem'; readonly problem: Problem };

interface Watcher {
  readonly query: LiveQuery;
  readonly stream: EventStream;
  /** What the client saw before it connected again: nothing older is shown to it. */
  notBefore: Checkpoint | undefined;
  last: string | undefined;
}

type Tops = Map<string, ReturnType<LiveMeans['service']['top']>>;

/**
 * Boards that are being watched. However many watch the same board, its top is read once for all of
 * them, and each is told only when what it watches has changed.
 */
export class LiveBoards {
  readonly #means: LiveMeans;
  readonly #watchers = new Set<Watcher>();
  readonly #unlisten: () => void;
  readonly #stop = new AbortController();
  readonly #turning: Promise<void>;
  #changed = false;
  #failing = false;
  #running: Promise<void> | undefined;

  constructor(means: LiveMeans) {
    this.#means = means;
    this.#unlisten = means.onChange(() => this.#onChange());
    this.#turning = this.#turnPeriods();
  }

  /** The board as it is now. */
  read(query: LiveQuery): Promise<Shown> {
    return readBoard(this.#means.service, query, new Map());
  }

  /**
   * The id of the last event that a client saw, if it may be one of ours. An id ahead of the log is of
   * before a restore, or of another service: nothing would ever be new to who waits for it to be passed.
   */
  async resumable(lastSeen: string | undefined): Promise<string | undefined> {
    const seen = lastSeen === undefined ? undefined : checkpointOf(lastSeen);
    return seen && coversAll(await this.#means.head(), seen) ? lastSeen : undefined;
  }

  /**
   * Sends the board now, and whenever it changes. A client that comes again with the id of the last
   * event it saw (as `resumable` gives it) is told nothing that it knows, and nothing older.
   */
  watch(
    query: LiveQuery,
    stream: EventStream,
    first: Shown,
    lastSeen: string | undefined = undefined,
  ): void {
    const notBefore = lastSeen === undefined ? undefined : checkpointOf(lastSeen);
    const watcher: Watcher = { query, stream, notBefore, last: undefined };
    if (first.kind === 'shown' && idOf(first) === lastSeen) watcher.last = first.shown;
    this.#watchers.add(watcher);
    stream.signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true });
    tell(watcher, first);
    // Something may have changed between the read and now.
    this.#onChange();
  }

  async close(): Promise<void> {
    this.#unlisten();
    this.#stop.abort();
    await Promise.all([this.#running, this.#turning]);
  }

  /** Days, weeks and months all end at a midnight, UTC: who watches the current one is shown the next. */
  async #turnPeriods(): Promise<void> {
    const { clock } = this.#means;
    const { signal } = this.#stop;
    for (let day = dayOf(clock.now()); !signal.aborted; ) {
      const midnightMs = (day + 1) * dayMs - clock.now();
      await clock.sleep(Math.min(Math.max(midnightMs, 1), liveLimits.calendarMsMax), signal);
      const today = dayOf(clock.now());
      if (today !== day) this.#onChange();
      day = today;
    }
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
    const { signal } = this.#stop;
    while (this.#changed && this.#watchers.size > 0) {
      await this.#means.clock.sleep(liveLimits.intervalMs, signal);
      if (signal.aborted) return;
      this.#changed = false;
      await this.#tellAll();
    }
  }

  async #tellAll(): Promise<void> {
    const tops: Tops = new Map();
    const watchers = [...this.#watchers];
    let failed = false;
    for (let from = 0; from < watchers.length; from += liveLimits.toldAtOnceMax) {
      const some = watchers.slice(from, from + liveLimits.toldAtOnceMax);
      const told = some.map(async (watcher) => {
        try {
          tell(watcher, await readBoard(this.#means.service, watcher.query, tops));
        } catch (error) {
          tell(watcher, unreadable);
          if (!failed && !this.#failing) this.#means.onTrouble?.(error);
          failed = true;
        }
      });
      await Promise.all(told);
      await nextTurn();
    }
    this.#failing = failed;
    // Tried again in the next round, also when nothing is written any more.
    if (failed) this.#changed = true;
  }
}

const unreadable: Shown = {
  kind: 'problem',
  problem: unavailable(
    'the leaderboard cannot be read just now; the stream goes on when it can.',
    1,
  ),
};

function tell(watcher: Watcher, state: Shown): void {
  const { stream } = watcher;
  if (state.kind === 'problem') {
    const { code, message: detail } = state.problem;
    const data = JSON.stringify({ code, detail });
    if (watcher.last !== data) stream.send({ event: 'problem', data });
    watcher.last = data;
    return;
  }
  if (watcher.notBefore) {
    // This process may be behind the one that the client was connected to before.
    if (!coversAll(decodeCheckpoint(state.asOf) ?? {}, watcher.notBefore)) return;
    watcher.notBefore = undefined;
  }
  if (watcher.last === state.shown) return;
  watcher.last = state.shown;
  stream.send({ event: 'board', id: idOf(state), data: state.shown });
}

/**
 * What a client resumes with. The period is part of it: when a month ends, what there is to see changes
 * although nothing was written.
 */
function idOf({ asOf, period }: Extract<Shown, { readonly kind: 'shown' }>): string {
  return `${asOf}/${period}`;
}

function checkpointOf(id: string): Checkpoint | undefined {
  return decodeCheckpoint(id.replace(/\/[^/]*$/, ''));
}

function dayOf(time: number): number {
  return Math.floor(time / dayMs);
}

/** `tops`: the tops that were read already in this round. */
async function readBoard(
  service: LiveMeans['service'],
  query: LiveQuery,
  tops: Tops,
): Promise<Shown> {
  const { board: id, ties, period: named } = query;
  const options = { board: id, ties, ...(named === undefined ? {} : { period: named }) };
  const key = JSON.stringify([id, ties, named, query.top]);
  const reading = tops.get(key) ?? service.top({ ...options, limit: query.top, offset: 0 });
  tops.set(key, reading);
  const top = await reading;
  if (top.kind !== 'answer') return { kind: 'problem', problem: problemOf(top) };
  const { rows, players, period, asOf } = top;
  const board = { period, players, data: rows.map(ranked) };
  if (query.userId === undefined) {
    return { kind: 'shown', shown: JSON.stringify({ ...board, ...staleness(top) }), period, asOf };
  }
  const standing = await service.standing({ ...options, userId: query.userId, around: 0 });
  if (standing.kind !== 'answer') return { kind: 'problem', problem: problemOf(standing) };
  const player = standing.row ? ranked(standing.row) : null;
  // Of two reads one may be of before the read model was lost.
  const shown = { ...board, player, ...staleness(top), ...staleness(standing) };
  return { kind: 'shown', shown: JSON.stringify(shown), period, asOf };
}

/** As in every other answer: only where the live read model is lost and the one before it answers. */
function staleness({ stale }: { readonly stale?: true }): { readonly stale?: true } {
  return stale ? { stale } : {};
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
      '(Last-Event-ID): it is then never shown an older state; an id that this log does not reach counts for ' +
      'nothing. With user_id, `player` is that ' +
      'player. `stale` is true where the live read model is lost and the one before it answers. Without ' +
      'period it is the current one, and turns to the next when that ends. Events of ' +
      'type `problem` say why there is nothing to show. A client that reads too slowly is dropped, ' +
      'and connects again; a stream whose key is revoked or expires ends with a `problem` that says so.',
    params: { id: boardIdSchema },
    query: {
      period: periodSchema.optional(),
      ties: tiesSchema.optional(),
      top: integerParameter({ min: 1, max: liveLimits.topRowsMax }).optional(),
      user_id: userIdSchema.optional(),
    },
    streams: true,
    problems: [
      ...['unknown-board', 'invalid-period', 'unavailable'],
      ...['read-model-lost', 'archive-lost', 'archive-unknown'],
    ],
    handler: async (request, reply) => {
      const { period, ties = 'standard', top = liveLimits.topRowsDefault, user_id } = request.query;
      const query = { board: request.params.id, period, ties, top, userId: user_id };
      const lastSeen = await live.resumable(lastEventId(request));
      const first = await live.read(query);
      if (first.kind === 'problem') return first.problem;
      const { bufferBytesMax } = liveLimits;
      const stream = eventStream(reply, { bufferBytesMax });
      if (stream instanceof Problem) return stream;
      live.watch(query, stream, first, lastSeen);
      return reply;
    },
  });
}
