import type { Clock } from '@annals/core';
import type { Closing, ReadinessCheck, Route } from '@annals/http';
import {
  archivedLeaderboardReadModel,
  type BoardDirectory,
  followBoards,
  Leaderboard,
  type LeaderboardReadModel,
  leaderboardArchiveProjection,
  leaderboardProjection,
  leaderboardReadModelWithoutArchive,
} from '@annals/leaderboard';
import {
  archiveRepairCommand,
  LiveBoards,
  leaderboardRoutes,
  repairCommand,
} from '@annals/leaderboard-api';
import {
  divergedGenerations,
  type GenerationDirectory,
  type Projection,
  type ProjectionState,
  waitingText,
} from '@annals/projection';
import type { Site } from '@annals/projector';
import {
  answerMsMax,
  isStoreAway,
  isUnreadable,
  type LeaderboardReads,
  leaderboardReads,
  ReadModelVersionError,
} from './leaderboard-reads.ts';
import { olderGeneration, withOlder } from './older-reads.ts';

export interface OpenLeaderboard {
  readonly service: Leaderboard;
  readonly routes: readonly Route[];
  readonly readiness: readonly ReadinessCheck[];
  /** Resolves when the first read model is filled or lost, and at the latest after `msMax`. */
  readable(msMax: number): Promise<void>;
  /** What to close, in this order. */
  readonly closing: readonly Closing[];
}

/** Opens the leaderboard on a site: its service, its routes, and what it needs to be ready. */
export async function openLeaderboard(
  site: Site,
  generations: GenerationDirectory,
  options: {
    readonly visibleMsMax?: number;
    readonly onTrouble: (detail: string) => void;
    /** Whether a lost generation is answered for by the one that was live before it. */
    readonly servesOlder?: boolean;
  },
): Promise<OpenLeaderboard> {
  const { cipher, keys, clock } = site;
  const log = site.logOf('leaderboard');
  const boards = followBoards({ log, cipher, clock });
  const { servesOlder = false, ...means } = options;
  const reads = await readsOf(site, generations, leaderboardProjection, servesOlder);
  const archive = site.config.archives.leaderboard
    ? await readsOf(site, generations, leaderboardArchiveProjection)
    : undefined;
  const readModel = archive
    ? withArchive(reads, archive, boards)
    : leaderboardReadModelWithoutArchive(reads.readModel, boards);
  const replicaMsMax = isReplica(site) ? replicaMsMaxDefault : 0;
  const service = new Leaderboard({
    ...{ log, cipher, keys, clock, readModel, boards, replicaMsMax, ...means },
  });
  const liveBoards = new LiveBoards({
    service,
    clock,
    onChange: reads.onChange,
    head: () => log.head(),
    onTrouble: (error) => options.onTrouble(`live boards cannot be read: ${String(error)}`),
  });
  await boards.ready();
  await service.ensureDefaultBoard();
  return {
    service,
    routes: leaderboardRoutes(service, liveBoards),
    readiness: [
      readinessOf('leaderboard', reads, {
        ...{ repair: repairCommand, clock },
        generations: () => generations.state(leaderboardProjection.name),
      }),
      ...(archive
        ? [
            readinessOf('archive', archive, {
              ...{ repair: archiveRepairCommand, clock },
              generations: () => generations.state(leaderboardArchiveProjection.name),
            }),
          ]
        : []),
    ],
    readable: async (msMax) => {
      for (
        let ms = 0;
        ms < msMax && (await reads.state().catch(() => 'unknown')) === 'building';
        ms += pollMs
      ) {
        await clock.sleep(pollMs);
      }
    },
    closing: [
      { name: 'live boards', close: () => liveBoards.close() },
      { name: 'boards', close: () => boards.close() },
      { name: 'read model', close: () => reads.close() },
      { name: 'archive', close: () => archive?.close() },
    ],
  };
}

async function readsOf(
  site: Site,
  generations: GenerationDirectory,
  projection: Projection,
  servesOlder = false,
): Promise<LeaderboardReads> {
  const diverged = await divergedGenerations(
    { log: site.logOf('leaderboard'), projection, store: site.storeFor(projection) },
    generations.state(projection.name),
  );
  const liveGeneration = () => {
    const live = generations.live(projection.name);
    if (!live || live.version === projection.version) return live;
    throw new ReadModelVersionError({
      projection: projection.name,
      version: live.version,
      codeVersion: projection.version,
    });
  };
  const { clock } = site;
  const served = { diverged, answerMsMax };
  const live = leaderboardReads(site.liveFor(projection, { liveGeneration, ...served }), clock);
  if (!servesOlder) return live;
  const before = () => olderGeneration(generations.state(projection.name), projection.version);
  const older = site.liveFor(projection, { liveGeneration: before, ...served });
  return withOlder(live, leaderboardReads(older, clock));
}

/** Both as one. What was written can be told without the archive, which must not stand in the way of writes. */
function withArchive(
  hot: LeaderboardReads,
  archive: LeaderboardReads,
  boards: BoardDirectory,
): LeaderboardReadModel {
  return archivedLeaderboardReadModel({
    hot: hot.readModel,
    archive: {
      ...archive.readModel,
      entries: async (places) => {
        try {
          return await archive.readModel.entries(places);
        } catch (error) {
          if (isUnreadable(error)) return { kind: 'lost' };
          throw error;
        }
      },
    },
    boards,
  });
}

const pollMs = 10;

/** Well within the time that a readiness check may take. */
const stateMsMax = 500;

/** How long a position that another process was given may take to come to the replica of this one. */
const replicaMsMaxDefault = 5_000;

/** Whether this process reads a copy of the leaderboard's log, which may be behind. */
function isReplica({ logs, logOf }: Site): boolean {
  const log = logOf('leaderboard');
  return logs.some((one) => one.log === log && one.place.kind !== 'sqlite');
}

/** A lost read model leaves the writes, so it must not take the process out of its balancer (decision 009). */
function readinessOf(
  name: string,
  reads: LeaderboardReads,
  {
    repair,
    clock,
    generations,
  }: {
    readonly repair: string;
    readonly clock: Clock;
    readonly generations: () => ProjectionState;
  },
): ReadinessCheck {
  const away = 'the store of the read model does not answer';
  return {
    name,
    check: async () => {
      const state = await Promise.race([
        reads.state().catch((error: unknown) => {
          if (isStoreAway(error)) return 'away' as const;
          if (error instanceof ReadModelVersionError) return error;
          throw error;
        }),
        // A client that connects again and again takes longer than a balancer waits.
        clock.sleep(stateMsMax).then(() => 'away' as const),
      ]);
      if (state instanceof Error) return { kind: 'degraded', detail: state.message };
      switch (state) {
        case 'ready':
          return { kind: 'ready' };
        case 'building':
          return {
            kind: 'not-ready',
            detail: `the read model is ${waitingText([generations()])}`,
          };
        case 'away':
          return { kind: 'degraded', detail: away };
        case 'lost':
          return { kind: 'degraded', detail: `the read model is lost: ${repair}` };
      }
    },
  };
}
