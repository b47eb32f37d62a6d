import type { SubjectCipher } from '@annals/core';
import { type MemoryStorage, memoryEventLog } from '@annals/event-log';
import { ledgerProjection, paymentsProjection, walletsProjection } from '@annals/payments';
import { reconciliationProjection } from '@annals/payments/reconciliation';
import { webhooksProjection } from '@annals/payments/webhooks-out';
import {
  MemoryProjectionDatabase,
  type MemoryProjectionStore,
  type Projection,
} from '@annals/projection';
import { VirtualClock } from '@annals/projection/testing';
import {
  type MemorySubjectKeys,
  memorySubjectKeyStore,
  memorySubjectKeys,
  subjectCipher,
} from '@annals/subject-keys';
import type { Random } from '../random.ts';
import type { Trace } from '../trace.ts';
import { openStoreOf, type TwinWeather } from '../weather.ts';
import { PacedClock } from './paced-clock.ts';
import type { Parts } from './parts.ts';
import type { ProviderWeather } from './provider.ts';
import { Witness } from './witness.ts';

/** How often things go wrong, in percent. All zero: the weather after which everything must settle. */
export interface Weather extends TwinWeather, ProviderWeather {
  /** Answers over HTTP that nobody gets. */
  readonly answer: number;
  /** Requests to the shop. */
  readonly shop: number;
}

const fairTwins = { append: 0, read: 0, store: 0, deliver: 0 };
export const fair: Weather = { ...fairTwins, call: 0, webhook: 0, answer: 0, shop: 0 };

const books = [ledgerProjection, walletsProjection, paymentsProjection] as const;
export type ProjectionName = 'ledger' | 'wallets' | 'payments' | 'webhooks' | 'reconciliation';

/** What outlives every process of ours: the disks. */
export interface World {
  readonly random: Random;
  readonly parts: Parts;
  readonly clock: VirtualClock;
  /** What projectors sleep by and date their leases with. */
  readonly projectorClock: PacedClock;
  readonly trace: Trace;
  readonly storage: MemoryStorage;
  /** Those that are followed. */
  readonly projections: readonly Projection[];
  readonly databases: { readonly [Name in ProjectionName]: MemoryProjectionDatabase };
  readonly keys: MemorySubjectKeys;
  readonly witness: Witness;
  weather: Weather;
}

export function makeWorld(random: Random, parts: Parts, start: number, trace: Trace): World {
  const clock = new VirtualClock(start);
  const { storage } = memoryEventLog({ partitions: random.int(1, 3), clock });
  const database = () => new MemoryProjectionDatabase();
  return {
    ...{ random, parts, clock, trace, storage },
    projectorClock: new PacedClock(clock),
    projections: [
      ...books,
      ...(parts.merchants ? [webhooksProjection] : []),
      ...(parts.schedule ? [reconciliationProjection] : []),
    ],
    databases: {
      ...{ ledger: database(), wallets: database() },
      ...{ payments: database(), webhooks: database(), reconciliation: database() },
    },
    keys: memorySubjectKeys(),
    witness: new Witness(storage),
    weather: fair,
  };
}

export function openStore(world: World, name: ProjectionName): MemoryProjectionStore {
  return openStoreOf(world, world.databases[name]);
}

export function openCipher(world: World): SubjectCipher {
  const randomBytes = (count: number) => Buffer.from(world.random.bytes(count));
  const keys = memorySubjectKeyStore({ shared: world.keys, randomBytes });
  return subjectCipher(keys, { randomBytes });
}
