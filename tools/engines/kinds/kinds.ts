import { EnginesError } from '../errors.ts';
import { cassandra, cassandraAuth } from './cassandra/cassandra.ts';
import { eventstoredb, eventstoredbTls } from './eventstoredb.ts';
import { kafka, kafka3, kafkaSasl } from './kafka/kafka.ts';
import type { EngineKind } from './kind.ts';
import { redis, redisCluster } from './redis.ts';

const kinds = {
  redis,
  'redis-cluster': redisCluster,
  kafka,
  kafka3,
  'kafka-sasl': kafkaSasl,
  cassandra,
  'cassandra-auth': cassandraAuth,
  eventstoredb,
  'eventstoredb-tls': eventstoredbTls,
} as const;

export const engineNames: readonly string[] = Object.keys(kinds);

/** `kafka`, or `kafka@own` for one that is used by somebody who kills it. */
const idForm = /^([a-z0-9-]+)(?:@[a-z0-9][a-z0-9-]{0,39})?$/;

export function isEngineId(id: string): boolean {
  return Object.hasOwn(kinds, idForm.exec(id)?.[1] ?? '');
}

/** Throws `usage` when there is no such engine. */
export function kindOf(id: string): EngineKind {
  const name = idForm.exec(id)?.[1] ?? '';
  if (Object.hasOwn(kinds, name)) return kinds[name as keyof typeof kinds];
  throw new EnginesError(
    'usage',
    `there is no engine ${id}: ${engineNames.join(', ')}, also with a label, as kafka@mine`,
  );
}
