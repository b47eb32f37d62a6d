import { createHash, type Hash } from 'node:crypto';
import type { GenerationSnapshot, Row } from '@annals/projection';
import type { ArchivedPeriod } from '../state.ts';

export interface BoardAndPeriod {
  readonly board: string;
  readonly period: string;
}

/** A board and period as the name of an entry in a map. */
export function nameOfPeriod({ board, period }: BoardAndPeriod): string {
  return JSON.stringify([board, period]);
}

/** Everything of a player's row that an answer shows. Part of the recorded hash: never to change. */
const columns = [
  ...['user_id', 'score', 'standing', 'reached_at', 'reached_by', 'matches', 'last_revision'],
] as const;

/** Counts and hashes the rows of periods; they come in key order, on every store. */
export class PeriodDigests {
  readonly #open = new Map<string, { players: number; readonly hash: Hash }>();

  add(row: Row): void {
    const name = nameOfPeriod({ board: String(row.board), period: String(row.period) });
    let digest = this.#open.get(name);
    if (!digest) {
      digest = { players: 0, hash: createHash('sha256') };
      this.#open.set(name, digest);
    }
    digest.players += 1;
    digest.hash.update(`${JSON.stringify(columns.map((column) => row[column]))}\n`);
  }

  of(period: BoardAndPeriod): ArchivedPeriod {
    const digest = this.#open.get(nameOfPeriod(period));
    const hash = digest?.hash.copy() ?? createHash('sha256');
    return { players: digest?.players ?? 0, hash: hash.digest('hex') };
  }
}

/** Reads all scores of a generation once, and digests those of these periods. */
export async function digestPeriods(
  snapshot: GenerationSnapshot,
  periods: readonly BoardAndPeriod[],
): Promise<PeriodDigests> {
  const wanted = new Set(periods.map(nameOfPeriod));
  const digests = new PeriodDigests();
  for await (const page of snapshot.rows('scores')) {
    for (const row of page) {
      const name = nameOfPeriod({ board: String(row.board), period: String(row.period) });
      if (wanted.has(name)) digests.add(row);
    }
  }
  return digests;
}
