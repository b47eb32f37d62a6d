import { idFromKey, type SubjectCipher } from '@annals/core';
import { type MemoryStorage, memoryEventLog } from '@annals/event-log';
import {
  type BoardDirectory,
  followBoards,
  Leaderboard,
  leaderboardProjection,
} from '@annals/leaderboard';
import {
  type GenerationDirectory,
  generationDirectory,
  MemoryProjectionDatabase,
  type MemoryProjectionStore,
  type Projector,
  runProjector,
} from '@annals/projection';
import type { VirtualClock } from '@annals/projection/testing';
import {
  type MemorySubjectKeys,
  memorySubjectKeyStore,
  memorySubjectKeys,
  type SubjectKeyStore,
  subjectCipher,
} from '@annals/subject-keys';
import type { Random } from '../random.ts';
import type { Trace } from '../trace.ts';
import { openLog, openStoreOf, type TwinWeather } from '../weather.ts';
import { twinReadModel } from './twin-read-model.ts';

/** All zero: the weather after which everything must settle. */
export const fair: TwinWeather = { append: 0, read: 0, store: 0, deliver: 0 };

/** What outlives every process: the disks. */
export interface World {
  readonly random: Random;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly storage: MemoryStorage;
  readonly database: MemoryProjectionDatabase;
  readonly keys: MemorySubjectKeys;
  weather: TwinWeather;
  /** How often the store was put back to an older copy. */
  wentBack: number;
}

export function makeWorld(random: Random, clock: VirtualClock, trace: Trace): World {
  const { storage } = memoryEventLog({ partitions: random.int(1, 3), clock });
  const database = new MemoryProjectionDatabase();
  return {
    random,
    clock,
    trace,
    storage,
    database,
    keys: memorySubjectKeys(),
    weather: fair,
    wentBack: 0,
  };
}

export function openStore(world: World): MemoryProjectionStore {
  return openStoreOf(world, world.database);
}

export function openKeys(world: World): { keys: SubjectKeyStore; cipher: SubjectCipher } {
  const randomBytes = (count: number) => Buffer.from(world.random.bytes(count));
  const keys = memorySubjectKeyStore({ shared: world.keys, randomBytes });
  return { keys, cipher: subjectCipher(keys, { randomBytes }) };
}

/** A process that can be killed: it leaves nothing but what is on the disks. */
export interface Process {
  readonly name: string;
  kill(): void;
}

export interface ApiProcess extends Process {
  readonly leaderboard: Leaderboard;
  readonly boards: BoardDirectory;
}

export function startApi(world: World, name: string): ApiProcess {
  const { clock } = world;
  const log = openLog(world);
  const { keys, cipher } = openKeys(world);
  const stop = new AbortController();
  const directory = generationDirectory(log, { signal: stop.signal, clock });
  const boards = followBoards({ log, cipher, clock });
  const readModel = twinReadModel(openStore(world), directory, leaderboardProjection.name, clock);
  const visibleMsMax = 500;
  const leaderboard = new Leaderboard({
    log,
    cipher,
    keys,
    clock,
    readModel,
    boards,
    visibleMsMax,
    newId: () => idFromKey('sim', Buffer.from(world.random.bytes(16)).toString('hex')),
  });
  return {
    name,
    leaderboard,
    boards,
    kill: () => {
      log.crash();
      stop.abort();
      void boards.close();
    },
  };
}

export interface ProjectorProcess extends Process {
  readonly projector: Projector;
  readonly directory: GenerationDirectory;
}

export function startProjector(world: World, name: string): ProjectorProcess {
  const { clock, trace } = world;
  const log = openLog(world);
  const { cipher } = openKeys(world);
  const store = openStore(world);
  const stop = new AbortController();
  const { signal } = stop;
  const directory = generationDirectory(log, { signal, clock });
  const projector = runProjector({
    log,
    cipher,
    projections: [leaderboardProjection],
    storeFor: () => store,
    directory,
    clock,
    holder: name,
    signal,
    workersOfFirst: () => world.random.int(1, 2),
    observe: ({ kind, status }) => {
      if (kind !== 'state') trace.say(`${name} ${kind} g${status.generation}/${status.worker}`);
    },
  });
  // Killed in the middle of its start it rejects: that is what being killed looks like.
  projector.done.catch(() => undefined);
  return {
    name,
    projector,
    directory,
    kill: () => {
      log.crash();
      void store.close();
      stop.abort();
    },
  };
}
