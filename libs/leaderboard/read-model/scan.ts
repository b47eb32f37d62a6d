import type { Clock } from '@annals/core';
import { type Checkpoint, coversAll } from '@annals/event-log';
import {
  type GenerationSnapshot,
  type GenerationStore,
  type Row,
  StoreLostError,
} from '@annals/projection';
import type { Ties } from '../input.ts';
import type { EntryStatus } from '../state.ts';
import {
  type Answer,
  type BoardPeriod,
  type Entries,
  type EntryPlace,
  type History,
  type HistoryQuery,
  type LeaderboardReadModel,
  type NamedPlayer,
  percentileOf,
  type RankedPlayer,
  type Ranks,
  type RanksQuery,
  type Standing,
  type StandingQuery,
  type Top,
  type TopQuery,
} from './port.ts';

/** Milliseconds between two looks at the checkpoint while somebody waits. */
const lookAgainMs = 10;

/**
 * The read model over any store's snapshot: it reads whole tables and sorts them. For twins, the
 * simulation and small boards; it needs nothing of a store but the port.
 */
export function scanReadModel(
  generation: () => Promise<GenerationStore | 'lost'>,
  clock: Clock,
): LeaderboardReadModel {
  return new ScanReadModel(generation, clock);
}

class ScanReadModel implements LeaderboardReadModel {
  readonly #generation: () => Promise<GenerationStore | 'lost'>;
  readonly #clock: Clock;

  constructor(generation: () => Promise<GenerationStore | 'lost'>, clock: Clock) {
    this.#generation = generation;
    this.#clock = clock;
  }

  top(query: TopQuery): Promise<Answer<Top>> {
    return this.#answer(async (tables) => {
      const players = await tables.players(query);
      const ranks = ranksOf(players, query.ties);
      const rows = await tables.named(players, ranks);
      const page = rows.slice(query.offset, query.offset + query.limit);
      return { rows: page, players: players.length };
    });
  }

  standing({ userId, around, ties, ...on }: StandingQuery): Promise<Answer<Standing>> {
    return this.#answer(async (tables) => {
      const players = await tables.players(on);
      const place = players.findIndex((player) => player.user_id === userId);
      const own = players[place];
      if (!own) return { row: undefined, above: [], below: [], players: players.length };
      const rows = await tables.named(players, ranksOf(players, ties));
      const behind = players.filter((player) => player.standing > own.standing).length;
      const percentile = percentileOf(behind, players.length);
      const row = { ...(rows[place] as RankedPlayer), percentile, matches: own.matches };
      const above = rows.slice(Math.max(0, place - around), place);
      const below = rows.slice(place + 1, place + 1 + around);
      return { row, above, below, players: players.length };
    });
  }

  ranks({ userIds, ties, ...on }: RanksQuery): Promise<Answer<Ranks>> {
    return this.#answer(async (tables) => {
      const players = await tables.players(on);
      const friends = players.filter((player) => userIds.includes(player.user_id));
      const boardRankOf = ranksOf(players, ties);
      const named = await tables.named(friends, ranksOf(friends, ties));
      const rows = named.map((row, index) => {
        const boardRank = boardRankOf.get(friends[index]?.standing as number) as number;
        return { ...row, boardRank };
      });
      return { rows, players: players.length };
    });
  }

  entries(places: readonly EntryPlace[]): Promise<Answer<Entries>> {
    return this.#answer(async (tables) => {
      const entries = await tables.entries();
      const entryAt = ({ stream, revision }: EntryPlace) => {
        const entry = entries.get(`${revision} ${stream}`);
        return entry && { status: entry.status, total: entry.total };
      };
      return { entries: places.map(entryAt) };
    });
  }

  history({ stream, from, limit, ...player }: HistoryQuery): Promise<Answer<History>> {
    return this.#answer(async (tables) => {
      const entries = await tables.entries();
      const row = (await tables.all('scores')).find(
        ({ board, period, user_id }) =>
          board === player.board && period === player.period && user_id === player.userId,
      );
      const found: { revision: number; total: number }[] = [];
      let next = from ?? (row?.last_revision as number | undefined);
      while (next !== undefined && found.length < limit) {
        const entry = entries.get(`${next} ${stream}`);
        if (entry?.status !== 'counted' || entry.total === null) break;
        found.push({ revision: next, total: entry.total });
        next = entry.previous ?? undefined;
      }
      return { entries: found, next };
    });
  }

  player(userId: string): Promise<Answer<NamedPlayer>> {
    return this.#answer(async (tables) => {
      const row = (await tables.all('players')).find(({ user_id }) => user_id === userId);
      if (typeof row?.name !== 'string') return { player: undefined };
      return { player: { name: row.name, picture: row.picture as string | null } };
    });
  }

  async waitFor(
    checkpoint: Checkpoint,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<'reached' | 'late' | 'lost'> {
    const deadline = this.#clock.now() + timeoutMs;
    for (;;) {
      const generation = await this.#generation();
      if (generation === 'lost') return 'lost';
      if (coversAll(await generation.checkpoint(), checkpoint)) return 'reached';
      if (signal?.aborted || this.#clock.now() >= deadline) return 'late';
      await this.#clock.sleep(lookAgainMs, signal);
    }
  }

  async #answer<T>(read: (tables: Tables) => Promise<T>): Promise<Answer<T>> {
    try {
      const generation = await this.#generation();
      if (generation === 'lost') return { kind: 'lost' };
      const snapshot = await generation.snapshot();
      try {
        return { kind: 'answer', asOf: snapshot.checkpoint, ...(await read(new Tables(snapshot))) };
      } finally {
        await snapshot.close();
      }
    } catch (error) {
      if (error instanceof StoreLostError) return { kind: 'lost' };
      throw error;
    }
  }
}

interface ScoreRow {
  readonly user_id: string;
  readonly score: number;
  readonly standing: number;
  readonly reached_at: number;
  readonly reached_by: string;
  readonly matches: number;
}

interface EntryRow {
  readonly status: EntryStatus;
  readonly total: number | null;
  readonly previous: number | null;
}

/** The tables of one snapshot, each read whole. */
class Tables {
  readonly #snapshot: GenerationSnapshot;

  constructor(snapshot: GenerationSnapshot) {
    this.#snapshot = snapshot;
  }

  async all(table: string): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const page of this.#snapshot.rows(table)) rows.push(...page);
    return rows;
  }

  /** The players on a board in a period, best first. */
  async players({ board, period }: BoardPeriod): Promise<ScoreRow[]> {
    const rows = (await this.all('scores')).filter(
      (row) => row.board === board && row.period === period,
    ) as unknown as ScoreRow[];
    return rows.sort(
      (a, b) =>
        a.standing - b.standing ||
        a.reached_at - b.reached_at ||
        (a.reached_by < b.reached_by ? -1 : 1),
    );
  }

  async named(
    players: readonly ScoreRow[],
    rankOf: ReadonlyMap<number, number>,
  ): Promise<RankedPlayer[]> {
    const rows = (await this.all('players')).map((row) => [row.user_id, row] as const);
    const known = new Map(rows);
    return players.map(({ user_id: userId, score, standing }) => {
      const player = known.get(userId);
      const name = (player?.name ?? null) as string | null;
      const picture = (player?.picture ?? null) as string | null;
      return { userId, name, picture, rank: rankOf.get(standing) as number, score };
    });
  }

  async entries(): Promise<Map<string, EntryRow>> {
    const rows = await this.all('entries');
    return new Map(
      rows.map(({ stream, revision, ...entry }) => [
        `${revision} ${stream}`,
        entry as unknown as EntryRow,
      ]),
    );
  }
}

/** The rank of each standing among `players`, who come best first. */
function ranksOf(players: readonly ScoreRow[], ties: Ties): ReadonlyMap<number, number> {
  const ranks = new Map<number, number>();
  for (const [index, { standing }] of players.entries()) {
    if (!ranks.has(standing)) ranks.set(standing, ties === 'dense' ? ranks.size + 1 : index + 1);
  }
  return ranks;
}
