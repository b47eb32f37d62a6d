import {
  type AppendFault,
  type MemoryEventLog,
  type MemoryStorage,
  memoryEventLog,
} from '@annals/event-log';
import {
  type MemoryProjectionDatabase,
  type MemoryProjectionStore,
  memoryProjectionStore,
  type StoreFault,
} from '@annals/projection';
import type { VirtualClock } from '@annals/projection/testing';
import type { Random } from './random.ts';

/** How often the twins of a log and its stores go wrong, in percent of calls. */
export interface TwinWeather {
  readonly append: number;
  readonly read: number;
  readonly store: number;
  readonly deliver: number;
}

/** What the weather is over; it turns while processes run. */
interface Outside {
  readonly random: Random;
  readonly clock: VirtualClock;
  readonly storage: MemoryStorage;
  readonly weather: TwinWeather;
}

const appendFaults: readonly AppendFault[] = [
  'throw-not-stored',
  'throw-stored',
  'unknown-not-stored',
  'unknown-stored',
  'overloaded',
];
const storeFaults: readonly StoreFault[] = ['before', 'after'];

/** The log as one process sees it, in the weather of the moment. */
export function openLog(world: Outside): MemoryEventLog {
  const { random, clock, storage } = world;
  return memoryEventLog({
    storage,
    clock,
    faults: {
      append: () => (random.chance(world.weather.append) ? random.pick(appendFaults) : undefined),
      read: () => (random.chance(world.weather.read) ? 'throw' : undefined),
      // A delivery repeated from an earlier place: what a resubscription may bring.
      subscribe: (from) => (random.chance(world.weather.deliver) ? {} : from),
      deliver: () => {
        if (!random.chance(world.weather.deliver)) return undefined;
        return random.chance(50) ? 'throw' : 'repeat';
      },
    },
  });
}

/** A store as one process sees it, in the weather of the moment. */
export function openStoreOf(
  world: Omit<Outside, 'storage'>,
  database: MemoryProjectionDatabase,
): MemoryProjectionStore {
  const { random, clock } = world;
  return memoryProjectionStore({
    clock,
    database,
    faults: () => (random.chance(world.weather.store) ? random.pick(storeFaults) : 'none'),
  });
}
