import type { SubjectCipher } from '@annals/core';
import {
  type AppendFault,
  type MemoryEventLog,
  type MemoryStorage,
  memoryEventLog,
} from '@annals/event-log';
import { ledgerProjection, paymentsProjection, walletsProjection } from '@annals/payments';
import {
  MemoryProjectionDatabase,
  type MemoryProjectionStore,
  memoryProjectionStore,
  type StoreFault,
} from '@annals/projection';
import type { VirtualClock } from '@annals/projection/testing';
import {
  type MemorySubjectKeys,
  memorySubjectKeyStore,
  memorySubjectKeys,
  subjectCipher,
} from '@annals/subject-keys';
import type { Random } from '../random.ts';
import type { Trace } from '../trace.ts';
import type { ProviderWeather } from './provider.ts';
import { Witness } from './witness.ts';

/** How often things go wrong, in percent. All zero: the weather after which everything must settle. */
export interface Weather extends ProviderWeather {
  readonly append: number;
  readonly read: number;
  readonly store: number;
  readonly deliver: number;
}

export const fair: Weather = { append: 0, read: 0, store: 0, deliver: 0, call: 0, webhook: 0 };

export const projections = [ledgerProjection, walletsProjection, paymentsProjection] as const;
export type ProjectionName = 'ledger' | 'wallets' | 'payments';

/** What outlives every process of ours: the disks. */
export interface World {
  readonly random: Random;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly storage: MemoryStorage;
  readonly databases: { readonly [Name in ProjectionName]: MemoryProjectionDatabase };
  readonly keys: MemorySubjectKeys;
  readonly witness: Witness;
  weather: Weather;
}

export function makeWorld(random: Random, clock: VirtualClock, trace: Trace): World {
  const { storage } = memoryEventLog({ partitions: random.int(1, 3), clock });
  const database = () => new MemoryProjectionDatabase();
  return {
    ...{ random, clock, trace, storage },
    databases: { ledger: database(), wallets: database(), payments: database() },
    keys: memorySubjectKeys(),
    witness: new Witness(storage),
    weather: fair,
  };
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
export function openLog(world: World): MemoryEventLog {
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

export function openStore(world: World, name: ProjectionName): MemoryProjectionStore {
  const { random, clock, databases } = world;
  return memoryProjectionStore({
    clock,
    database: databases[name],
    faults: () => (random.chance(world.weather.store) ? random.pick(storeFaults) : 'none'),
  });
}

export function openCipher(world: World): SubjectCipher {
  const randomBytes = (count: number) => Buffer.from(world.random.bytes(count));
  const keys = memorySubjectKeyStore({ shared: world.keys, randomBytes });
  return subjectCipher(keys, { randomBytes });
}
