import type { Clock } from '@annals/core';
import { encodeCheckpoint } from '@annals/event-log';
import type { BoardDirectory } from './board-directory.ts';
import { decidePeriod } from './decide.ts';
import { defaultBoardId, type Ties } from './input.ts';
import { askFrom, type WaitMeans } from './min-position.ts';
import type { Late, Refused } from './outcome.ts';
import type { Answer, LeaderboardReadModel, Lost, NamedPlayer } from './read-model/port.ts';
import type { BoardSettings } from './state.ts';

export interface ReadMeans extends WaitMeans {
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly boards: Pick<BoardDirectory, 'board'>;
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

/** What a player is called, and what the answer is good for; no board has a part in it. */
export type PlayerRead =
  | (NamedPlayer & {
      readonly kind: 'answer';
      readonly asOf: string;
      readonly exact?: false;
      readonly stale?: true;
    })
  | Refused<'invalid-position' | 'position-ahead'>
  | Late
  | Lost;

/** Which rows a read is about. */
export interface BoardInPeriod {
  readonly board: string;
  readonly period: string;
  readonly order: BoardSettings['order'];
  readonly settings: BoardSettings;
}

/** Asks the read model of a board in a period, for an answer that covers the position that was named. */
export async function readBoard<T>(
  means: ReadMeans,
  options: ReadOptions,
  ask: (on: BoardInPeriod) => Promise<Answer<T>>,
): Promise<Read<T>> {
  const { boards, clock } = means;
  const id = options.board ?? defaultBoardId;
  const board = await boards.board(id);
  const decided = decidePeriod(board, id, options.period, clock.now());
  if (decided.kind === 'refused') return decided;
  const { settings, period } = decided;
  const on = { board: id, period, order: settings.order, settings };
  const answer = await askFrom(means, options.minPosition, () => ask(on));
  if (answer.kind !== 'answer') return answer;
  const closed = board?.closed.has(period) ?? false;
  return { ...answer, board: id, period, closed, asOf: encodeCheckpoint(answer.asOf) };
}

export async function readPlayer(
  means: WaitMeans & { readonly readModel: Pick<LeaderboardReadModel, 'waitFor' | 'player'> },
  { userId, minPosition }: { readonly userId: string; readonly minPosition?: string },
): Promise<PlayerRead> {
  const answer = await askFrom(means, minPosition, () => means.readModel.player(userId));
  return answer.kind === 'answer' ? { ...answer, asOf: encodeCheckpoint(answer.asOf) } : answer;
}
