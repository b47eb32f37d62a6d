import { type Clock, newId, type SubjectCipher } from '@annals/core';
import {
  type Checkpoint,
  coversAll,
  decodeCheckpoint,
  type EventLog,
  encodeCheckpoint,
  type NewEvent,
} from '@annals/event-log';
import {
  eraseSubject,
  erasureEvent,
  erasureStream,
  type SubjectKeyStore,
} from '@annals/subject-keys';
import type { BoardDirectory } from './board-directory.ts';
import { appendClose } from './close-period.ts';
import {
  decideBoard,
  decideClose,
  decidePeriod,
  decidePlayer,
  decideScore,
  type ScoreToAppend,
  unknownBoard,
} from './decide.ts';
import { leaderboardEvents, scoreEvents } from './events.ts';
import {
  type BoardInput,
  defaultBoardId,
  type PlayerInput,
  type ScoreInput,
  type Ties,
} from './input.ts';
import { limits } from './limits.ts';
import {
  type Late,
  notStored,
  type Overloaded,
  type Refused,
  refused,
  type Unknown,
} from './outcome.ts';
import type {
  Answer,
  LeaderboardReadModel,
  Lost,
  NamedPlayer,
  Ranks,
  Standing,
  Top,
} from './read-model/port.ts';
import { recordScores, type ScoreResult } from './record-scores.ts';
import type { BoardSettings } from './state.ts';
import { bucketOf, playerSubject, scoresStream } from './streams.ts';

export interface LeaderboardMeans {
  readonly log: EventLog;
  readonly cipher: SubjectCipher;
  readonly keys: Pick<SubjectKeyStore, 'destroy'>;
  readonly clock: Clock;
  readonly readModel: LeaderboardReadModel;
  readonly boards: BoardDirectory;
  /** How long an answer waits for the read model, in milliseconds; 5,000 unless told. */
  readonly visibleMsMax?: number;
  /**
   * How far the log may be behind what another process was told, in milliseconds, where it is read from a
   * replica; 0 unless told.
   */
  readonly replicaMsMax?: number;
  /** Makes the ids of events that have no natural key; UUIDv7 unless told. */
  readonly newId?: () => string;
}

/** What a read may say beside its position. */
export interface ReadOptions {
  readonly board?: string;
  /** The current period unless told. */
  readonly period?: string;
  readonly ties?: Ties;
  /** A position that a write gave: the answer covers it. */
  readonly minPosition?: string;
}

export type ReadRefusal =
  | 'unknown-board'
  | 'invalid-period'
  | 'invalid-position'
  | 'position-ahead'
  | 'invalid-cursor';

/** `asOf` is the checkpoint the answer is good for, as text. */
export type Read<T> =
  | ({
      readonly kind: 'answer';
      readonly board: string;
      readonly period: string;
      /** Whether the period is frozen, as far as this process knows. */
      readonly closed: boolean;
      readonly asOf: string;
      /** Only where parts of the answer are newer than `asOf`. */
      readonly exact?: false;
      /** Only of a generation that was replaced, as the one that is live is lost. */
      readonly stale?: true;
    } & T)
  | Refused<ReadRefusal>
  | Late
  | Lost;

/** One match that made a score, newest first. Times in milliseconds since 1970. */
export interface PlayedMatch {
  readonly matchId: string;
  readonly points: number;
  /** The score after it. */
  readonly total: number;
  readonly occurredAt: number;
  readonly recordedAt: number;
}

export interface PlayedMatches {
  readonly matches: readonly PlayedMatch[];
  /** Asks for the next page; absent at the end. */
  readonly nextCursor: string | undefined;
}

type WriteFailure = Overloaded | Unknown;

export interface ShownBoard {
  readonly kind: 'shown-board';
  readonly id: string;
  readonly settings: BoardSettings;
  /** The current one. */
  readonly period: string;
  /** Whether it is frozen. */
  readonly closed: boolean;
}

const replicaPollMs = 20;

/** The operations of the leaderboard. What is wrong with a request is a value; broken I/O throws. */
export class Leaderboard {
  readonly #means: LeaderboardMeans & Required<Pick<LeaderboardMeans, 'visibleMsMax' | 'newId'>>;

  constructor(means: LeaderboardMeans) {
    this.#means = { visibleMsMax: 5_000, newId, ...means };
  }

  /** Stores the score of one match. */
  async recordScore(
    input: ScoreInput,
  ): Promise<ScoreResult | Refused<'unknown-board' | 'occurred-at-out-of-range'>> {
    const decided = await this.#decideScore(input);
    if (decided.kind === 'refused') return decided;
    const [result] = await recordScores(this.#means, [decided]);
    return result as ScoreResult;
  }

  /** Stores many scores, whose keys all differ; refuses the whole batch for one bad item, which `index` names. */
  async recordScores(
    inputs: readonly ScoreInput[],
  ): Promise<
    | { readonly kind: 'batch'; readonly results: readonly ScoreResult[] }
    | (Refused<'unknown-board' | 'occurred-at-out-of-range'> & { readonly index: number })
  > {
    const decided: ScoreToAppend[] = [];
    for (const [index, input] of inputs.entries()) {
      const one = await this.#decideScore(input);
      if (one.kind === 'refused') return { ...one, index };
      decided.push(one);
    }
    return { kind: 'batch', results: await recordScores(this.#means, decided) };
  }

  /** Makes a board. The same again is fine; its settings are fixed once it is made. */
  async putBoard(
    id: string,
    input: BoardInput,
  ): Promise<
    | {
        readonly kind: 'board';
        readonly created: boolean;
        readonly settings: BoardSettings;
        readonly position: string;
      }
    | Refused<'board-settings-fixed'>
    | WriteFailure
  > {
    const { stream, event } = decideBoard(id, input, this.#means.clock.now());
    const encoded = await this.#encode(event);
    if (encoded.kind === 'subject-erased') throw new TypeError('a board holds no personal data');
    const { log, boards } = this.#means;
    const result = await log.append(stream, [encoded.event], { expected: 'no-stream' });
    const known = result.kind === 'content-mismatch';
    if (result.kind !== 'stored' && !known) return notStored(stream, result);
    const settings = (await boards.refresh(id))?.settings;
    const page = await log.readStream(stream, { limit: 1 });
    const [stored] = page.events;
    if (!settings || !stored) throw new Error(`${stream} was stored and cannot be read`);
    if (known && !sameSettings(settings, input)) return settingsFixed(id, settings);
    const created = result.kind === 'stored' && !result.duplicate;
    return { kind: 'board', created, settings, position: positionOf(stored) };
  }

  /** Makes the board that is there from the start. */
  async ensureDefaultBoard() {
    return this.putBoard(defaultBoardId, {
      operator: 'increment',
      order: 'desc',
      reset: 'monthly',
    });
  }

  /** Freezes a period: scores behind it are void. Safe to repeat. */
  async closePeriod(
    id: string,
    period: string,
  ): Promise<
    | { readonly kind: 'closed'; readonly position: string }
    | Refused<'unknown-board' | 'invalid-period' | 'period-not-begun'>
    | WriteFailure
  > {
    const { boards, clock } = this.#means;
    const decided = decideClose(await boards.refresh(id), id, period, clock.now());
    if (decided.kind === 'refused') return decided;
    const result = await appendClose(this.#means, decided);
    if (result.kind !== 'stored') return result;
    await boards.refresh(id);
    return { kind: 'closed', position: encodeCheckpoint(result.checkpoint) };
  }

  /** Finishes the closes that were cut off, by this process or another; the number of those finished. */
  async resumeCloses(): Promise<number> {
    const { boards } = this.#means;
    await boards.ready();
    let finished = 0;
    for (const [id, board] of [...boards.boards()]) {
      for (const period of board.closing) {
        const result = await this.closePeriod(id, period);
        if (result.kind === 'closed') finished += 1;
      }
    }
    return finished;
  }

  /** Gives a player a name and a picture: personal data. */
  async putPlayer(
    userId: string,
    input: PlayerInput,
  ): Promise<
    { readonly kind: 'named'; readonly position: string } | Refused<'player-erased'> | WriteFailure
  > {
    const { stream, event } = decidePlayer(
      userId,
      input,
      this.#means.newId(),
      this.#means.clock.now(),
    );
    const encoded = await this.#encode(event);
    if (encoded.kind === 'subject-erased') {
      return refused('player-erased', 'this player was erased and cannot be named again');
    }
    const result = await this.#means.log.append(stream, [encoded.event], { expected: 'any' });
    if (result.kind !== 'stored') return notStored(stream, result);
    return { kind: 'named', position: positionOf(result) };
  }

  /** Destroys a player's name and picture for good; scores and ranks stay. `visible`: no read shows them any more. */
  async erasePlayer(
    userId: string,
  ): Promise<
    { readonly kind: 'erased'; readonly visible: boolean; readonly position: string } | WriteFailure
  > {
    const { keys, readModel, visibleMsMax } = this.#means;
    const subject = playerSubject(userId);
    const appendErased = (erased: string) => this.#appendErased(erased);
    const erasure = await eraseSubject({ appendErased, keys }, subject);
    if (erasure.kind === 'not-recorded') return notStored(erasureStream(subject), erasure.answer);
    const { partition, position } = erasure.recorded;
    const reached = await readModel.waitFor({ [partition]: position }, visibleMsMax);
    return {
      kind: 'erased',
      visible: reached === 'reached',
      position: positionOf(erasure.recorded),
    };
  }

  /** One page of a board, best first. */
  async top(
    query: ReadOptions & { readonly limit: number; readonly offset: number },
  ): Promise<Read<Top>> {
    return this.#read(query, (on) => {
      const { limit, offset, ties = 'standard' } = query;
      return this.#means.readModel.top({ ...on, limit, offset, ties });
    });
  }

  /** A player with the neighbours on either side. */
  async standing(
    query: ReadOptions & { readonly userId: string; readonly around: number },
  ): Promise<Read<Standing>> {
    return this.#read(query, (on) => {
      const { userId, around, ties = 'standard' } = query;
      return this.#means.readModel.standing({ ...on, userId, around, ties });
    });
  }

  /** The ranks among a list of players. */
  async ranks(query: ReadOptions & { readonly userIds: readonly string[] }): Promise<Read<Ranks>> {
    return this.#read(query, (on) => {
      const { userIds, ties = 'standard' } = query;
      return this.#means.readModel.ranks({ ...on, userIds, ties });
    });
  }

  /** The matches that made a player's score, newest first, a page at a time. */
  async history(
    query: ReadOptions & {
      readonly userId: string;
      readonly limit: number;
      readonly cursor?: string;
    },
  ): Promise<Read<PlayedMatches>> {
    const { userId, limit, cursor } = query;
    const from = cursor === undefined ? undefined : revisionOf(cursor);
    if (from === 'invalid') return invalidCursor();
    const read = await this.#read(query, async ({ board, period, settings }) => {
      const stream = scoresStream(board, bucketOf(userId, settings.buckets));
      const page = await this.#means.readModel.history({
        board,
        period,
        userId,
        stream,
        from,
        limit,
      });
      return page.kind === 'lost' ? page : { ...page, stream };
    });
    if (read.kind !== 'answer') return read;
    const { entries, next, stream, ...answer } = read;
    if (from !== undefined && entries.length === 0) return invalidCursor();
    const matches: PlayedMatch[] = [];
    const events = await this.#scoresAt(
      stream,
      entries.map(({ revision }) => revision),
    );
    for (const [index, { occurredAt, recordedAt, data }] of events.entries()) {
      const own =
        data.user_id === userId && data.board === read.board && data.period === read.period;
      if (!own) return invalidCursor();
      const total = entries[index]?.total as number;
      const { match_id: matchId, points } = data;
      matches.push({ matchId, points, total, occurredAt, recordedAt });
    }
    return { ...answer, matches, nextCursor: next === undefined ? undefined : String(next) };
  }

  /** What a player is called. */
  async player(query: { readonly userId: string; readonly minPosition?: string }): Promise<
    | (NamedPlayer & {
        readonly kind: 'answer';
        readonly asOf: string;
        readonly exact?: false;
        readonly stale?: true;
      })
    | Refused<'invalid-position' | 'position-ahead'>
    | Late
    | Lost
  > {
    const { userId, minPosition } = query;
    const missed = minPosition === undefined ? undefined : await this.#waitFor(minPosition);
    if (missed) return missed;
    const answer = await this.#means.readModel.player(userId);
    return answer.kind === 'lost' ? answer : { ...answer, asOf: encodeCheckpoint(answer.asOf) };
  }

  /** One board as it is now. */
  async board(id: string): Promise<ShownBoard | Refused<'unknown-board'>> {
    const board = await this.#means.boards.board(id);
    const decided = decidePeriod(board, id, undefined, this.#means.clock.now());
    // The current period is one of the board's own.
    if (!board || decided.kind === 'refused') return unknownBoard(id);
    const { settings, period } = decided;
    return { kind: 'shown-board', id, settings, period, closed: board.closed.has(period) };
  }

  /** A page of the boards that this process knows, by id; `after` is the last id of the page before. */
  async listBoards(query: { readonly limit: number; readonly after?: string }): Promise<{
    readonly boards: readonly ShownBoard[];
    readonly next: string | undefined;
  }> {
    const { limit, after = '' } = query;
    const ids = [...this.#means.boards.boards().keys()].filter((id) => id > after).sort();
    const page = await Promise.all(ids.slice(0, limit).map((id) => this.board(id)));
    const boards = page.filter((board) => board.kind === 'shown-board');
    return { boards, next: ids.length > limit ? boards.at(-1)?.id : undefined };
  }

  /** Settings of all boards that this process knows, by id. */
  boards(): ReadonlyMap<string, BoardSettings> {
    return new Map([...this.#means.boards.boards()].map(([id, board]) => [id, board.settings]));
  }

  async #decideScore(input: ScoreInput) {
    const board = await this.#means.boards.board(input.leaderboard);
    return decideScore(board, input, this.#means.clock.now());
  }

  async #read<T>(
    options: ReadOptions,
    ask: (on: BoardInPeriod) => Promise<Answer<T>>,
  ): Promise<Read<T>> {
    const { boards, clock } = this.#means;
    const id = options.board ?? defaultBoardId;
    const board = await boards.board(id);
    const decided = decidePeriod(board, id, options.period, clock.now());
    if (decided.kind === 'refused') return decided;
    const { settings, period } = decided;
    if (options.minPosition !== undefined) {
      const missed = await this.#waitFor(options.minPosition);
      if (missed) return missed;
    }
    const answer = await ask({ board: id, period, order: settings.order, settings });
    if (answer.kind === 'lost') return answer;
    const closed = board?.closed.has(period) ?? false;
    return { ...answer, board: id, period, closed, asOf: encodeCheckpoint(answer.asOf) };
  }

  /** Waits until answers cover a position; what to say instead when they won't. */
  async #waitFor(
    minPosition: string,
  ): Promise<Refused<'invalid-position' | 'position-ahead'> | Late | Lost | undefined> {
    const { readModel, visibleMsMax } = this.#means;
    const checkpoint = decodeCheckpoint(minPosition);
    if (!checkpoint) {
      return refused('invalid-position', 'min-position is not a position of this log');
    }
    let reached = await readModel.waitFor(checkpoint, 0);
    if (reached === 'late') {
      // Every position that was ever given is at or before the head: waiting for another one is in vain.
      if (!(await this.#logCovers(checkpoint))) {
        return refused('position-ahead', 'min-position lies beyond the end of the log');
      }
      reached = await readModel.waitFor(checkpoint, visibleMsMax);
    }
    return reached === 'reached' ? undefined : { kind: reached };
  }

  /** Whether the log has come to a position, which a replica may be a moment late for. */
  async #logCovers(checkpoint: Checkpoint): Promise<boolean> {
    const { log, clock, replicaMsMax = 0 } = this.#means;
    for (let waitedMs = 0; ; waitedMs += replicaPollMs) {
      if (coversAll(await log.head(), checkpoint)) return true;
      if (waitedMs >= replicaMsMax) return false;
      await clock.sleep(replicaPollMs);
    }
  }

  /** The scores at these revisions, newest first as they are: those that lie together are read together. */
  async #scoresAt(stream: string, revisions: readonly number[]) {
    const { log, cipher } = this.#means;
    const runs = await Promise.all(
      runsOf(revisions, limits.historyGapEventsMax).map(async ({ from, limit }) => {
        const { events } = await log.readStream(stream, { from, limit });
        return scoreEvents.decode(
          events.filter(({ revision }) => revisions.includes(revision)),
          cipher,
        );
      }),
    );
    const found = new Map(runs.flat().map((event) => [event.revision, event]));
    return revisions.map((revision) => {
      const event = found.get(revision);
      if (event?.type === 'score-recorded') return event;
      throw new Error(`the read model names ${stream}@${revision}, and the log has no score there`);
    });
  }

  async #appendErased(subject: string) {
    const encoded = await this.#encode(erasureEvent(subject, this.#means.clock.now()));
    if (encoded.kind !== 'encoded') throw new TypeError('an erasure holds no personal data');
    return this.#means.log.append(erasureStream(subject), [encoded.event], { expected: 'any' });
  }

  async #encode(
    event: EncodableEvent,
  ): Promise<
    { readonly kind: 'encoded'; readonly event: NewEvent } | { readonly kind: 'subject-erased' }
  > {
    const encoded = await leaderboardEvents.encode([event], this.#means.cipher);
    const [one] = encoded.kind === 'encoded' ? encoded.events : [];
    return one ? { kind: 'encoded', event: one } : { kind: 'subject-erased' };
  }
}

type EncodableEvent = Parameters<typeof leaderboardEvents.encode>[0][number];

interface BoardInPeriod {
  readonly board: string;
  readonly period: string;
  readonly order: BoardSettings['order'];
  readonly settings: BoardSettings;
}

/** Reads that cover all revisions (descending), each of as many as lie within `gapMax` of the next. */
export function runsOf(
  revisions: readonly number[],
  gapMax: number,
): { readonly from: number; readonly limit: number }[] {
  const runs: { from: number; limit: number }[] = [];
  for (const revision of revisions) {
    const run = runs.at(-1);
    if (run && run.from - revision <= gapMax) {
      run.limit += run.from - revision;
      run.from = revision;
    } else runs.push({ from: revision, limit: 1 });
  }
  return runs;
}

function positionOf({ partition, position }: { partition: number; position: string }): string {
  return encodeCheckpoint({ [partition]: position });
}

function sameSettings(settings: BoardSettings, input: BoardInput): boolean {
  const { operator, order, reset } = input;
  return settings.operator === operator && settings.order === order && settings.reset === reset;
}

function settingsFixed(id: string, settings: BoardSettings): Refused<'board-settings-fixed'> {
  const { operator, order, reset } = settings;
  const fixed = `operator ${operator}, order ${order}, reset ${reset}`;
  return refused('board-settings-fixed', `leaderboard ${id} is fixed to ${fixed}`);
}

function revisionOf(cursor: string): number | 'invalid' {
  return /^\d{1,15}$/.test(cursor) ? Number(cursor) : 'invalid';
}

function invalidCursor(): Refused<'invalid-cursor'> {
  return refused('invalid-cursor', 'the cursor is none that this list gave');
}
