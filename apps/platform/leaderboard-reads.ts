import type { Clock } from '@annals/core';
import { type Checkpoint, encodeCheckpoint } from '@annals/event-log';
import {
  cassandraLeaderboardReadModel,
  type LeaderboardReadModel,
  redisLeaderboardReadModel,
  sqliteLeaderboardReadModel,
} from '@annals/leaderboard';
import { mismatchText, type VersionMismatch } from '@annals/projection';
import type { SiteLive } from '@annals/projector';
import { ChangeWatch } from './change-watch.ts';

/** The leaderboard's read model on the store that was chosen, and how it stands. */
export interface LeaderboardReads {
  readonly readModel: LeaderboardReadModel;
  /** Throws when the store does not answer. */
  state(): Promise<'ready' | 'building' | 'lost'>;
  /** Calls the listener after what can be read has changed; gives the function that ends it. */
  onChange(listener: () => void): () => void;
  close(): Promise<void> | void;
}

/** No generation is live: the first one is being filled, or waits for somebody to make it live. */
export class ReadModelBuildingError extends Error {
  readonly code = 'read-model-building';
  constructor() {
    super('no generation of the read model is live yet (/readyz says why)');
    this.name = 'ReadModelBuildingError';
  }
}

/** The live generation was made by another version of the projection: this program cannot tell what it holds. */
export class ReadModelVersionError extends Error {
  readonly code = 'read-model-version';
  constructor(mismatch: VersionMismatch) {
    super(mismatchText(mismatch));
    this.name = 'ReadModelVersionError';
  }
}

/** Reads of the live generation, whichever store it is in. They throw ReadModelBuildingError while there is none. */
export function leaderboardReads(site: SiteLive, clock: Clock): LeaderboardReads {
  switch (site.kind) {
    case 'sqlite':
      return sqliteReads(site.live);
    case 'redis':
      return remoteReads(site.live, redisLeaderboardReadModel, clock);
    case 'cassandra':
      return remoteReads(site.live, cassandraLeaderboardReadModel, clock);
  }
}

function built<Live extends { readonly kind: string }>(
  live: Live,
): Exclude<Live, { readonly kind: 'building' }> {
  if (live.kind === 'building') throw new ReadModelBuildingError();
  return live as Exclude<Live, { readonly kind: 'building' }>;
}

type LiveOf<Kind extends SiteLive['kind']> = Extract<SiteLive, { readonly kind: Kind }>['live'];

function sqliteReads(live: LiveOf<'sqlite'>): LeaderboardReads {
  return {
    readModel: sqliteLeaderboardReadModel({
      current: () => built(live.current()),
      waitFor: (...waited) => visible(live, ...waited),
    }),
    state: async () => live.current().kind,
    onChange: (listener) => live.onChange(listener),
    close: () => live.close(),
  };
}

/** What a live reader of a store on other machines has in common with those of others. */
interface RemoteLive<Reader extends { checkpoint(): Promise<Checkpoint> }> {
  current(): Promise<
    | { readonly kind: 'ready'; readonly reader: Reader; readonly generation: number }
    | { readonly kind: 'lost' }
    | { readonly kind: 'building' }
  >;
  waitFor: SiteLive['live']['waitFor'];
  close(): Promise<void> | void;
}

/** The live generation as a read model of the leaderboard asks for it. */
interface Reads<Reader> {
  current(): Promise<
    { readonly kind: 'ready'; readonly reader: Reader } | { readonly kind: 'lost' }
  >;
  waitFor: LeaderboardReadModel['waitFor'];
}

function remoteReads<Reader extends { checkpoint(): Promise<Checkpoint> }>(
  live: RemoteLive<Reader>,
  modelOf: (reads: Reads<Reader>) => LeaderboardReadModel,
  clock: Clock,
): LeaderboardReads {
  const watch = new ChangeWatch(async () => {
    const now = await live.current();
    if (now.kind !== 'ready') return now.kind;
    return `g${now.generation} ${encodeCheckpoint(await now.reader.checkpoint())}`;
  }, clock);
  const readModel = modelOf({
    current: async () => built(await live.current()),
    waitFor: (...waited) => visible(live, ...waited),
  });
  return {
    readModel: {
      ...readModel,
      entries: async (places) => {
        try {
          return await readModel.entries(places);
        } catch (error) {
          // The scores that are asked for are in the log: their totals cannot be told, and that is all.
          if (isStoreAway(error)) return { kind: 'lost' };
          throw error;
        }
      },
    },
    state: async () => (await live.current()).kind,
    onChange: (listener) => watch.listen(listener),
    close: () => {
      watch.close();
      return live.close();
    },
  };
}

/** Waits for a live reader. Whoever wrote has written: a store that is away makes the answer late, not wrong. */
async function visible(
  live: Pick<SiteLive['live'], 'waitFor'>,
  ...[checkpoint, timeoutMs, signal]: Parameters<LeaderboardReadModel['waitFor']>
): Promise<'reached' | 'late' | 'lost'> {
  try {
    const outcome = await live.waitFor(checkpoint, signal ? { timeoutMs, signal } : { timeoutMs });
    return outcome === 'timeout' ? 'late' : outcome;
  } catch (error) {
    if (isStoreAway(error) || error instanceof ReadModelVersionError) return 'late';
    throw error;
  }
}

/** How long a store may take before a request is told that it is away: projectors and rebuilds have more patience. */
export const answerMsMax = 5_000;

const storeErrors: ReadonlyMap<string, string> = new Map([
  ['RedisStoreError', 'Redis'],
  ['CassandraStoreError', 'Cassandra'],
]);
const awayCodes: ReadonlySet<string> = new Set([
  'unreachable',
  'unknown-outcome',
  'busy',
  'overloaded',
  'out-of-memory',
  'refused',
]);

/** What cannot be read now, for whatever reason that passes or that an operator mends. */
export function isUnreadable(error: unknown): boolean {
  if (error instanceof ReadModelBuildingError || error instanceof ReadModelVersionError)
    return true;
  return isStoreAway(error);
}

/** A store of read models that does not answer now, known by its name: its client is loaded only where it is used. */
export function isStoreAway(error: unknown): error is Error {
  if (!(error instanceof Error) || !storeErrors.has(error.name)) return false;
  return awayCodes.has(String((error as { readonly code?: unknown }).code));
}

/** The engine that an error of a store comes from. */
export function engineOf(error: Error): string | undefined {
  return storeErrors.get(error.name);
}
