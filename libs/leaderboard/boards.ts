import type { Clock, SubjectCipher } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { BoardDirectory } from './board-directory.ts';
import { decideBoard, decidePeriod, unknownBoard } from './decide.ts';
import { encodeEvent } from './encode-event.ts';
import type { BoardInput } from './input.ts';
import {
  notStored,
  type Overloaded,
  positionOf,
  type Refused,
  refused,
  type Unknown,
} from './outcome.ts';
import type { BoardSettings } from './state.ts';

export interface BoardsMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly clock: Pick<Clock, 'now'>;
  readonly boards: BoardDirectory;
}

/** What became of a board that was asked for. */
export type BoardResult =
  | {
      readonly kind: 'board';
      readonly created: boolean;
      readonly settings: BoardSettings;
      readonly position: string;
    }
  | Refused<'board-settings-fixed'>
  | Overloaded
  | Unknown;

export interface ShownBoard {
  readonly kind: 'shown-board';
  readonly id: string;
  readonly settings: BoardSettings;
  /** The current one. */
  readonly period: string;
  /** Whether it is frozen. */
  readonly closed: boolean;
}

export interface ShownBoards {
  readonly boards: readonly ShownBoard[];
  readonly next: string | undefined;
}

export async function putBoard(
  { log, cipher, clock, boards }: BoardsMeans,
  id: string,
  input: BoardInput,
): Promise<BoardResult> {
  const { stream, event } = decideBoard(id, input, clock.now());
  const encoded = await encodeEvent(event, cipher);
  if (encoded.kind === 'subject-erased') throw new TypeError('a board holds no personal data');
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

function sameSettings(settings: BoardSettings, input: BoardInput): boolean {
  const { operator, order, reset } = input;
  return settings.operator === operator && settings.order === order && settings.reset === reset;
}

function settingsFixed(id: string, settings: BoardSettings): Refused<'board-settings-fixed'> {
  const { operator, order, reset } = settings;
  const fixed = `operator ${operator}, order ${order}, reset ${reset}`;
  return refused('board-settings-fixed', `leaderboard ${id} is fixed to ${fixed}`);
}

export async function showBoard(
  { boards, clock }: Pick<BoardsMeans, 'boards' | 'clock'>,
  id: string,
): Promise<ShownBoard | Refused<'unknown-board'>> {
  const board = await boards.board(id);
  const decided = decidePeriod(board, id, undefined, clock.now());
  // The current period is one of the board's own.
  if (!board || decided.kind === 'refused') return unknownBoard(id);
  const { settings, period } = decided;
  return { kind: 'shown-board', id, settings, period, closed: board.closed.has(period) };
}

export async function listBoards(
  means: Pick<BoardsMeans, 'boards' | 'clock'>,
  { limit, after = '' }: { readonly limit: number; readonly after?: string },
): Promise<ShownBoards> {
  const ids = [...means.boards.boards().keys()].filter((id) => id > after).sort();
  const page = await Promise.all(ids.slice(0, limit).map((id) => showBoard(means, id)));
  const boards = page.filter((board) => board.kind === 'shown-board');
  return { boards, next: ids.length > limit ? boards.at(-1)?.id : undefined };
}
