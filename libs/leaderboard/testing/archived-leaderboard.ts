import { type Clock, type SubjectCipher, systemClock } from '@annals/core';
import { type EventLog, type MemoryEventLog, memoryEventLog } from '@annals/event-log';
import {
  type GenerationStore,
  generationDirectory,
  type Operation,
  type Projection,
  type ProjectionStore,
  runProjector,
} from '@annals/projection';
import { memorySubjectKeyStore, subjectCipher } from '@annals/subject-keys';
import { archivePeriods, type PeriodOutcome } from '../archive/archive-periods.ts';
import { archivedLeaderboardReadModel } from '../archive/archived-reads.ts';
import { followBoards } from '../board-directory.ts';
import { leaderboardEvents } from '../events.ts';
import { leaderboardArchiveProjection, leaderboardProjection } from '../projections/leaderboard.ts';
import { NaiveLeaderboard } from '../read-model/naive.ts';
import type { LeaderboardReadModel } from '../read-model/port.ts';
import { Leaderboard } from '../service.ts';
import { categories } from '../streams.ts';

/** One store of read models, for both projections or for one of them. */
export interface StorePlace {
  store(projection: Projection): ProjectionStore;
  /** The read model over the live generation; `close` ends what it needs. */
  reads(
    projection: Projection,
    liveGeneration: () => { readonly generation: number; readonly id: string } | undefined,
  ): {
    readonly readModel: LeaderboardReadModel;
    isReady(): Promise<boolean>;
    close(): Promise<void>;
  };
}

export interface ArchivedLeaderboard {
  readonly leaderboard: Leaderboard;
  readonly log: MemoryEventLog;
  /** Hot read model and archive as one. */
  readonly readModel: LeaderboardReadModel;
  readonly hot: LeaderboardReadModel;
  /** For rebuild and verify. */
  operation(projection: Projection): Operation;
  /** Archives what is closed; with a log of its own, for crashes. */
  archive(
    log?: Pick<EventLog, 'append' | 'readStream'>,
    done?: ReadonlySet<string>,
  ): Promise<readonly PeriodOutcome[]>;
  /** The live generation of a projection, to look into or to damage. */
  live(projection: Projection): Promise<GenerationStore>;
  /** Both read models have come as far as the log. */
  settled(): Promise<void>;
  naive(): Promise<NaiveLeaderboard>;
  close(): Promise<void>;
}

/** One process with API and projector on the twin's log: the read model on one store, the archive on another. */
export async function archivedLeaderboard(
  places: { readonly hot: StorePlace; readonly archive: StorePlace },
  clock: Clock = systemClock,
): Promise<ArchivedLeaderboard> {
  const held = new AsyncDisposableStack();
  const stop = new AbortController();
  const { signal } = stop;
  const log = memoryEventLog({ clock });
  held.defer(() => log.close());
  const keys = memorySubjectKeyStore();
  const cipher = subjectCipher(keys);
  const directory = generationDirectory(log, { signal, clock });
  const both = [leaderboardProjection, leaderboardArchiveProjection] as const;
  const { storeOf, hot, archive } = openStores(places, held, ({ name }) => directory.live(name));
  const boards = followBoards({ log, cipher, clock });
  held.defer(() => boards.close());
  const projector = runProjector({
    ...{ log, cipher, directory, clock, signal, projections: both, holder: 'test' },
    storeFor: storeOf,
    workersOfFirst: () => 1,
  });
  held.defer(async () => {
    stop.abort();
    await projector.done;
  });
  await directory.ready();
  for (const reads of [hot, archive]) while (!(await reads.isReady())) await clock.sleep(10);
  const readModel = archivedLeaderboardReadModel({
    ...{ hot: hot.readModel, archive: archive.readModel, boards },
  });
  const means = { log, cipher, keys, clock, readModel, boards, visibleMsMax: 20_000 };
  const leaderboard = new Leaderboard(means);
  const live = async (projection: Projection) => {
    const { generation } = directory.live(projection.name) ?? { generation: 0 };
    const opened = await storeOf(projection).open(generation);
    if (opened === 'lost') throw new Error(`${projection.name} is lost`);
    return opened;
  };
  return {
    ...{ leaderboard, log, readModel, hot: hot.readModel, live },
    operation: (projection) => ({
      ...{ log, store: storeOf(projection), projection, cipher, clock, directory },
      holder: 'operator',
    }),
    archive: async (over = log, done: ReadonlySet<string> = new Set()) => {
      const both = await Promise.all([
        live(leaderboardProjection),
        live(leaderboardArchiveProjection),
      ]);
      const [hot, archive] = both;
      try {
        return await archivePeriods({
          ...{ log: over, cipher, clock, boards, hot, archive, done, archiveAfterMs: 0 },
        });
      } finally {
        for (const generation of both) await generation.close();
      }
    },
    settled: async () => {
      const head = await log.head();
      for (const reads of [hot.readModel, archive.readModel]) {
        if ((await reads.waitFor(head, 30_000)) !== 'reached') throw new Error('not settled');
      }
    },
    naive: () => naiveOf(log, cipher),
    close: () => held.disposeAsync(),
  };
}

type Reads = ReturnType<StorePlace['reads']>;

function openStores(
  places: { readonly hot: StorePlace; readonly archive: StorePlace },
  held: AsyncDisposableStack,
  live: (
    projection: Projection,
  ) => { readonly generation: number; readonly id: string } | undefined,
): {
  storeOf(projection: Projection): ProjectionStore;
  readonly hot: Reads;
  readonly archive: Reads;
} {
  const open = (place: StorePlace, projection: Projection) => {
    const store = place.store(projection);
    held.defer(() => store.close());
    const reads = place.reads(projection, () => live(projection));
    held.defer(() => reads.close());
    return { store, reads };
  };
  const hot = open(places.hot, leaderboardProjection);
  const archive = open(places.archive, leaderboardArchiveProjection);
  return {
    storeOf: ({ name }) => (name === leaderboardProjection.name ? hot : archive).store,
    hot: hot.reads,
    archive: archive.reads,
  };
}

async function naiveOf(log: EventLog, cipher: SubjectCipher): Promise<NaiveLeaderboard> {
  const naive = new NaiveLeaderboard();
  const { events } = await log.read('start', { categories }, { limit: 10_000 });
  for (const event of await leaderboardEvents.decode(events, cipher)) naive.apply(event);
  return naive;
}
