import { type Checkpoint, coversAll, decodeCheckpoint } from '@annals/event-log';
import type { RankedPlayer } from '@annals/leaderboard';
import type { ApiProcess, World } from './world.ts';

/** More than there are players. */
const rowsMax = 100;

/** One board as a caller was shown it. */
export interface SeenBoard {
  readonly board: string;
  readonly period: string;
  readonly asOf: Checkpoint;
  readonly rows: readonly RankedPlayer[];
}

/** The callers that read boards, some of them what they have just written. */
export class Readers {
  readonly seen: SeenBoard[] = [];
  /** What was answered that must never be, in words. */
  readonly alarms: string[] = [];
  readonly #world: World;
  /** The newest checkpoint each process has answered with, and how often the store had gone back by then. */
  readonly #newest = new Map<string, { readonly asOf: Checkpoint; readonly wentBack: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Reads a whole board, at or past `minPosition` where one is given, without waiting for the answer. */
  read(api: ApiProcess, board: string, minPosition: string | undefined): void {
    const { trace } = this.#world;
    const { wentBack } = this.#world;
    const asked = { board, limit: rowsMax, offset: 0 };
    api.leaderboard
      .top(minPosition === undefined ? asked : { ...asked, minPosition })
      .then((answer) => {
        trace.say(`read ${board} from ${minPosition}: ${JSON.stringify(answer)}`);
        if (answer.kind !== 'answer') return;
        const asOf = decodeCheckpoint(answer.asOf) ?? {};
        const least = decodeCheckpoint(minPosition ?? '') ?? {};
        if (!coversAll(asOf, least)) {
          this.alarms.push(`asked for ${minPosition}, shown ${answer.asOf}`);
        }
        this.#mustNotGoBack(api.name, asOf, wentBack);
        this.seen.push({ board, period: answer.period, asOf, rows: answer.rows });
      })
      .catch((error: unknown) => trace.say(`read broke: ${String(error)}`));
  }

  /** Only a store that itself went back, before or while it was read, may be shown to. */
  #mustNotGoBack(process: string, asOf: Checkpoint, wentBackBefore: number): void {
    const newest = this.#newest.get(process);
    const { wentBack } = this.#world;
    if (newest && newest.wentBack === wentBack && wentBackBefore === wentBack) {
      if (!coversAll(asOf, newest.asOf)) {
        const [before, after] = [newest.asOf, asOf].map((one) => JSON.stringify(one));
        this.alarms.push(`${process} answered ${after} after ${before}`);
      }
    }
    this.#newest.set(process, { asOf, wentBack });
  }
}
