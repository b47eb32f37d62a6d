import { idFromKey, type SubjectCipher, sha256 } from '@annals/core';
import type { DomainEvent, EventLog } from '@annals/event-log';
import type { GenerationSnapshot, GenerationStore } from '@annals/projection';
import type { BoardDirectory } from '../board-directory.ts';
import { leaderboardEvents, type ScoresArchived, scoreEvents } from '../events.ts';
import { limits } from '../limits.ts';
import type { BoardState } from '../state.ts';
import { letGoLimits } from './let-go.ts';
import { type BoardAndPeriod, nameOfPeriod } from './period-digest.ts';

export const voidEntriesLimits = {
  /** Entries that one call looks at; those behind them wait for the next one. */
  entriesMax: 10_000,
} as const;

export interface VoidEntriesMeans {
  readonly log: Pick<EventLog, 'append' | 'readStream'>;
  readonly cipher: SubjectCipher;
  readonly boards: Pick<BoardDirectory, 'refresh'>;
  readonly archive: GenerationStore;
  readonly now: number;
}

/**
 * Has the hot read model let go of void entries in archived periods: they are in no player's chain, so
 * letting the players go leaves them behind. An entry does not say its period, so the log is asked. Only
 * what the archive holds as well goes. Gives the number of entries; 0 also when the log could not take it.
 */
export async function letGoOfVoidEntries(
  means: VoidEntriesMeans,
  hot: GenerationSnapshot,
): Promise<number> {
  let gone = 0;
  for (const [stream, revisions] of await voidEntries(hot)) {
    for (const place of await archivedPlaces(means, stream, revisions)) {
      for (let first = 0; first < place.revisions.length; first += letGoLimits.revisionsMax) {
        const some = place.revisions.slice(first, first + letGoLimits.revisionsMax);
        if (!(await appendLetGo(means, stream, { ...place, revisions: some }))) return gone;
        gone += some.length;
      }
    }
  }
  return gone;
}

async function voidEntries(hot: GenerationSnapshot): Promise<ReadonlyMap<string, number[]>> {
  const found = new Map<string, number[]>();
  let entries = 0;
  for await (const page of hot.rows('entries')) {
    for (const { stream, revision, status } of page) {
      if (status === 'counted') continue;
      const revisions = found.get(String(stream)) ?? [];
      found.set(String(stream), revisions);
      revisions.push(Number(revision));
      entries += 1;
      if (entries === voidEntriesLimits.entriesMax) return found;
    }
  }
  return found;
}

interface Place extends BoardAndPeriod {
  readonly revisions: readonly number[];
}

/** Those of these entries whose period is archived and that the archive holds, by period. */
async function archivedPlaces(
  { log, cipher, boards, archive }: VoidEntriesMeans,
  stream: string,
  revisions: readonly number[],
): Promise<readonly Place[]> {
  const keys = revisions.map((revision) => ({ table: 'entries', key: [stream, revision] }));
  const held = await archive.load(keys);
  const wanted = new Set(revisions.filter((_, n) => (held[n]?.status ?? 'counted') !== 'counted'));
  const places = new Map<string, BoardAndPeriod & { readonly revisions: number[] }>();
  const archived = new Map<string, BoardState['archived'] | undefined>();
  for (const { from, limit } of runsUp(revisions)) {
    const { events } = await log.readStream(stream, { from, limit });
    const scores = events.filter(({ revision }) => wanted.has(revision));
    for (const event of await scoreEvents.decode(scores, cipher)) {
      const { board, period } = event.data;
      if (!archived.has(board)) archived.set(board, (await boards.refresh(board))?.archived);
      if (!archived.get(board)?.has(period)) continue;
      const name = nameOfPeriod({ board, period });
      const place = places.get(name) ?? { board, period, revisions: [] };
      places.set(name, place);
      place.revisions.push(event.revision);
    }
  }
  return [...places.values()];
}

/** Reads that cover these revisions, ascending as they come: what lies close together is read together. */
function runsUp(revisions: readonly number[]): { readonly from: number; readonly limit: number }[] {
  const runs: { from: number; limit: number }[] = [];
  for (const revision of revisions.toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    const reach = run && revision - run.from + 1;
    if (run && reach && reach - run.limit <= limits.historyGapEventsMax && reach <= runEventsMax) {
      run.limit = reach;
    } else runs.push({ from: revision, limit: 1 });
  }
  return runs;
}

/** Events in one read. */
const runEventsMax = 1_000;

async function appendLetGo(
  { log, cipher, now }: VoidEntriesMeans,
  stream: string,
  { board, period, revisions }: Place,
): Promise<boolean> {
  const data = { board, period, user_ids: [], revisions: [...revisions] };
  const id = idFromKey('scores-archived', stream, sha256(JSON.stringify(data)));
  const event: DomainEvent<ScoresArchived> = {
    ...{ type: 'scores-archived', id, occurredAt: now, data },
  };
  const encoded = await leaderboardEvents.encode([event], cipher);
  if (encoded.kind !== 'encoded') throw new TypeError('an archived score holds no personal data');
  const result = await log.append(stream, encoded.events, { expected: 'exists' });
  return result.kind === 'stored';
}
