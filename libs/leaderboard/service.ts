import { type Clock, newId, type SubjectCipher } from '@annals/core';
import { type EventLog, encodeCheckpoint } from '@annals/event-log';
import type { SubjectKeyStore } from '@annals/subject-keys';
import type { BoardDirectory } from './board-directory.ts';
import {
  type BoardResult,
  listBoards,
  putBoard,
  type ShownBoard,
  type ShownBoards,
  showBoard,
} from './boards.ts';
import { appendClose } from './close-period.ts';
import { decideClose, decideScore, type ScoreToAppend } from './decide.ts';
import { type BoardInput, defaultBoardId, type PlayerInput, type ScoreInput } from './input.ts';
import type { Overloaded, Refused, Unknown } from './outcome.ts';
import { type PlayedMatches, type PlayerHistoryQuery, playerHistory } from './player-history.ts';
import { type EraseResult, erasePlayer, type NameResult, putPlayer } from './players.ts';
import type { LeaderboardReadModel, Ranks, Standing, Top } from './read-model/port.ts';
import { type PlayerRead, type Read, type ReadOptions, readBoard, readPlayer } from './reads.ts';
import { recordScores, type ScoreResult } from './record-scores.ts';
import type { BoardSettings } from './state.ts';

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
  putBoard(id: string, input: BoardInput): Promise<BoardResult> {
    return putBoard(this.#means, id, input);
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
    | Overloaded
    | Unknown
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
  putPlayer(userId: string, input: PlayerInput): Promise<NameResult> {
    return putPlayer(this.#means, userId, input);
  }

  /** Destroys a player's name and picture for good; scores and ranks stay. `visible`: no read shows them any more. */
  erasePlayer(userId: string): Promise<EraseResult> {
    return erasePlayer(this.#means, userId);
  }

  /** One page of a board, best first. */
  async top(
    query: ReadOptions & { readonly limit: number; readonly offset: number },
  ): Promise<Read<Top>> {
    return readBoard(this.#means, query, (on) => {
      const { limit, offset, ties = 'standard' } = query;
      return this.#means.readModel.top({ ...on, limit, offset, ties });
    });
  }

  /** A player with the neighbours on either side. */
  async standing(
    query: ReadOptions & { readonly userId: string; readonly around: number },
  ): Promise<Read<Standing>> {
    return readBoard(this.#means, query, (on) => {
      const { userId, around, ties = 'standard' } = query;
      return this.#means.readModel.standing({ ...on, userId, around, ties });
    });
  }

  /** The ranks among a list of players. */
  async ranks(query: ReadOptions & { readonly userIds: readonly string[] }): Promise<Read<Ranks>> {
    return readBoard(this.#means, query, (on) => {
      const { userIds, ties = 'standard' } = query;
      return this.#means.readModel.ranks({ ...on, userIds, ties });
    });
  }

  /** The matches that made a player's score, newest first, a page at a time. */
  history(query: PlayerHistoryQuery): Promise<Read<PlayedMatches>> {
    return playerHistory(this.#means, query);
  }

  /** What a player is called. */
  player(query: { readonly userId: string; readonly minPosition?: string }): Promise<PlayerRead> {
    return readPlayer(this.#means, query);
  }

  /** One board as it is now. */
  board(id: string): Promise<ShownBoard | Refused<'unknown-board'>> {
    return showBoard(this.#means, id);
  }

  /** A page of the boards that this process knows, by id; `after` is the last id of the page before. */
  listBoards(query: { readonly limit: number; readonly after?: string }): Promise<ShownBoards> {
    return listBoards(this.#means, query);
  }

  /** Settings of all boards that this process knows, by id. */
  boards(): ReadonlyMap<string, BoardSettings> {
    return new Map([...this.#means.boards.boards()].map(([id, board]) => [id, board.settings]));
  }

  async #decideScore(input: ScoreInput) {
    const board = await this.#means.boards.board(input.leaderboard);
    return decideScore(board, input, this.#means.clock.now());
  }
}
