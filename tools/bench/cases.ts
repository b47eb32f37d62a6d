import { appendBatches } from './cases/append-batches.ts';
import { appendManyCallers } from './cases/append-many-callers.ts';
import { appendOneCaller } from './cases/append-one-caller.ts';
import { cassandraNames } from './cases/cassandra-names.ts';
import { cassandraProjector } from './cases/cassandra-projector.ts';
import { emmett } from './cases/emmett.ts';
import { httpRead } from './cases/http-read.ts';
import { httpWrite } from './cases/http-write.ts';
import { kafkaAppend } from './cases/kafka-append.ts';
import { kafkaCatchUp } from './cases/kafka-catch-up.ts';
import { ledgerRebuild } from './cases/ledger-rebuild.ts';
import { memory } from './cases/memory.ts';
import { payments } from './cases/payments.ts';
import { paymentsPostgres } from './cases/payments-postgres.ts';
import { paymentsStatus } from './cases/payments-status.ts';
import { paymentsStripe } from './cases/payments-stripe.ts';
import { rankAmongMany } from './cases/rank.ts';
import { rankSchemes } from './cases/rank-schemes.ts';
import { rebuildOfBoard } from './cases/rebuild.ts';
import { rebuildBesideAppends } from './cases/rebuild-beside-appends.ts';
import { reconciliation } from './cases/reconciliation.ts';
import { redisProjector } from './cases/redis-projector.ts';
import { redisRead } from './cases/redis-read.ts';
import { redisScale } from './cases/redis-scale.ts';
import type { BenchCase } from './harness.ts';

/** Every case, in the order of the report. */
export const cases: readonly BenchCase[] = [
  appendOneCaller,
  appendManyCallers,
  appendBatches,
  emmett,
  rebuildOfBoard,
  rebuildBesideAppends,
  rankAmongMany,
  memory,
  httpRead,
  httpWrite,
  kafkaAppend,
  kafkaCatchUp,
  cassandraProjector,
  cassandraNames,
  ledgerRebuild,
  reconciliation,
  redisProjector,
  redisRead,
  redisScale,
  rankSchemes,
  payments,
  paymentsPostgres,
  paymentsStripe,
  paymentsStatus,
];
