import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@annals/core';
import type { Closing, ReadinessCheck, Route } from '@annals/http';
import {
  followBoards,
  Leaderboard,
  leaderboardProjection,
  scanReadModel,
} from '@annals/leaderboard';
import { LiveBoards, leaderboardRoutes } from '@annals/leaderboard-api';
import type { GenerationDirectory, GenerationStore } from '@annals/projection';
import type { Embedded } from '@annals/projector';

export interface OpenLeaderboard {
  readonly service: Leaderboard;
  readonly routes: readonly Route[];
  readonly readiness: ReadinessCheck;
  /** Resolves when the first read model is there, and at the latest after `msMax`. */
  readable(msMax: number): Promise<void>;
  /** What to close, in this order. */
  readonly closing: readonly Closing[];
}

function liveGeneration(embedded: Embedded, generations: GenerationDirectory, clock: Clock) {
  let opened: { generation: number; store: GenerationStore } | undefined;
  const listeners = new Set<() => void>();
  let kind: 'ready' | 'lost' = 'lost';
  const current = async (): Promise<GenerationStore | 'lost'> => {
    const live = generations.live(leaderboardProjection.name);
    if (opened && (opened.generation !== live || !(await opened.store.present()))) {
      await opened.store.close();
      opened = undefined;
    }
    if (live === undefined) return 'lost';
    if (!opened) {
      const store = await embedded.storeFor(leaderboardProjection).open(live);
      if (store === 'lost') {
        kind = 'lost';
        return store;
      }
      opened = { generation: live, store };
    }
    kind = 'ready';
    return opened.store;
  };
  let last = '';
  const timer = setInterval(async () => {
    const store = await current().catch(() => 'lost' as const);
    const now =
      store === 'lost' ? 'lost' : JSON.stringify(await store.checkpoint().catch(() => ''));
    if (now !== last) for (const listener of listeners) listener();
    last = now;
  }, 20);
  return {
    readModel: scanReadModel(current, clock),
    current: () => ({ kind }),
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: async () => {
      clearInterval(timer);
      await opened?.store.close();
    },
  };
}

/** Opens the leaderboard on an embedded platform: its service, its routes, and what it needs to be ready. */
export async function openLeaderboard(
  embedded: Embedded,
  generations: GenerationDirectory,
  options: { readonly visibleMsMax?: number },
): Promise<OpenLeaderboard> {
  const { log, cipher, keys, clock } = embedded;
  const boards = followBoards({ log, cipher, clock });
  const live = liveGeneration(embedded, generations, clock);
  const { readModel } = live;
  const service = new Leaderboard({ log, cipher, keys, clock, readModel, boards, ...options });
  const liveBoards = new LiveBoards({ service, clock, onChange: live.onChange });
  const closing = [
    { name: 'live boards', close: () => liveBoards.close() },
    { name: 'boards', close: () => boards.close() },
    { name: 'read model', close: () => live.close() },
  ];
  await boards.ready();
  await service.ensureDefaultBoard();
  return {
    service,
    routes: leaderboardRoutes(service, liveBoards),
    readiness: {
      name: 'leaderboard',
      check: () => {
        const { kind } = live.current();
        return kind === 'ready'
          ? { kind: 'ready' }
          : { kind: 'not-ready', detail: `the read model is ${kind}: npx annals status` };
      },
    },
    readable: async (msMax) => {
      const deadline = Date.now() + msMax;
      while (live.current().kind !== 'ready' && Date.now() < deadline) await delay(20);
    },
    closing,
  };
}
