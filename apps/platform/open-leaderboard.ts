import type { Closing, ReadinessCheck, Route } from '@annals/http';
import {
  followBoards,
  Leaderboard,
  leaderboardProjection,
  sqliteLeaderboardReadModel,
} from '@annals/leaderboard';
import { LiveBoards, leaderboardRoutes, repairCommand } from '@annals/leaderboard-api';
import { divergedGenerations, type GenerationDirectory } from '@annals/projection';
import type { Embedded } from '@annals/projector';
import { type LiveReader, liveReader } from '@annals/store-sqlite';
import { liveGenerationOf } from './live-generation.ts';

export interface OpenLeaderboard {
  readonly service: Leaderboard;
  readonly routes: readonly Route[];
  readonly readiness: ReadinessCheck;
  /** Resolves when the first read model is filled or lost, and at the latest after `msMax`. */
  readable(msMax: number): Promise<void>;
  /** What to close, in this order. */
  readonly closing: readonly Closing[];
}

/** Opens the leaderboard on an embedded platform: its service, its routes, and what it needs to be ready. */
export async function openLeaderboard(
  { log, cipher, keys, clock, projectionsFolder: folder, storeFor }: Embedded,
  generations: GenerationDirectory,
  options: {
    readonly visibleMsMax?: number;
    readonly onTrouble: (detail: string) => void;
  },
): Promise<OpenLeaderboard> {
  const { name: projection } = leaderboardProjection;
  const boards = followBoards({ log, cipher, clock });
  const liveGeneration = () => generations.live(projection);
  const diverged = await divergedGenerations(
    { log, projection: leaderboardProjection, store: storeFor(leaderboardProjection) },
    generations.state(projection),
  );
  const live = liveReader({ folder, projection, liveGeneration, clock, diverged });
  const readModel = sqliteLeaderboardReadModel(liveGenerationOf(live));
  const service = new Leaderboard({ log, cipher, keys, clock, readModel, boards, ...options });
  const liveBoards = new LiveBoards({
    service,
    clock,
    onChange: live.onChange.bind(live),
    head: () => log.head(),
    onTrouble: (error) => options.onTrouble(`live boards cannot be read: ${String(error)}`),
  });
  await boards.ready();
  await service.ensureDefaultBoard();
  return {
    service,
    routes: leaderboardRoutes(service, liveBoards),
    readiness: readinessOf(live),
    readable: async (msMax) => {
      for (let ms = 0; ms < msMax && live.current().kind === 'building'; ms += pollMs) {
        await clock.sleep(pollMs);
      }
    },
    closing: [
      { name: 'live boards', close: () => liveBoards.close() },
      { name: 'boards', close: () => boards.close() },
      { name: 'read model', close: () => live.close() },
    ],
  };
}

const pollMs = 10;

/** A lost read model leaves the writes, so it must not take the process out of its balancer (decision 009). */
function readinessOf(live: LiveReader): ReadinessCheck {
  return {
    name: 'leaderboard',
    check: () => {
      switch (live.current().kind) {
        case 'ready':
          return { kind: 'ready' };
        case 'building':
          return { kind: 'not-ready', detail: 'the read model is filled for the first time' };
        case 'lost':
          return { kind: 'degraded', detail: `the read model is lost: ${repairCommand}` };
      }
    },
  };
}
