import { randomBytes } from 'node:crypto';
import { systemClock } from '@annals/core';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '@annals/projection';
import { sampleSpec } from '@annals/projection/contract';
import { onTestFinished } from 'vitest';
import { connectRedis, type RedisConnection } from '../connection.ts';
import { readMarker, type Scheme } from '../marker.ts';
import { RedisGeneration } from '../redis-generation.ts';
import { redisProjectionStore } from '../redis-projection-store.ts';
import { Shards } from '../shards.ts';

/** Groups of a few rows are cut into ranges already. */
export const rangeRowsMin = 6;

export interface Opened {
  readonly url: string;
  readonly prefix: string;
  readonly connection: RedisConnection;
  readonly store: ProjectionStore;
  readonly generation: GenerationStore;
  readonly shards: Shards;
  /** The same generation over a connection of the test's own making. */
  over(connection: RedisConnection): GenerationStore;
}

export function ownPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}`;
}

/** A connection that is closed when the running test has finished. */
export function connected(url: string): RedisConnection {
  const connection = connectRedis(url);
  onTestFinished(() => connection.close());
  return connection;
}

/** A store under a prefix of its own with one generation of the sample tables, dropped when the test has finished. */
export async function openSample(
  url: string,
  options: {
    readonly shards?: number;
    readonly scheme?: Scheme;
    readonly spec?: Partial<GenerationSpec>;
  } = {},
): Promise<Opened> {
  const prefix = ownPrefix();
  const { shards = 1, scheme = 'hash', spec } = options;
  const clock = systemClock;
  const layout = { shards, scheme, rangeRowsMin };
  const store = redisProjectionStore({ url, projection: 'sample', prefix, clock, ...layout });
  onTestFinished(async () => {
    await store.drop(1).catch(() => undefined);
    await store.close();
  });
  await store.create({ ...sampleSpec, ...spec });
  const generation = await store.open(1);
  const connection = connected(url);
  const marker = await readMarker(connection, prefix, 'sample', 1);
  if (generation === 'lost' || !marker) throw new Error('the new generation is lost');
  const over = (other: RedisConnection) =>
    new RedisGeneration({ connection: other, prefix, marker, clock, rangeRowsMin });
  const opened = new Shards(connection, marker);
  return { url, prefix, connection, store, generation, shards: opened, over };
}
