import { EventLogError } from '@annals/event-log';
import { FollowError } from '@annals/event-log-kafka';
import { CassandraStoreError } from '@annals/store-cassandra';
import { RedisStoreError } from '@annals/store-redis';
import { SubjectKeyStoreError } from '@annals/subject-keys';
import { expect, test } from 'vitest';
import { exitCodes } from './exit-codes.ts';
import { failureOf } from './failure.ts';

const { unavailable, failed } = exitCodes;

test.each([
  [new EventLogError('unreachable', 'no broker answers'), unavailable],
  [new EventLogError('refused', 'the server refuses us'), unavailable],
  [new EventLogError('not-a-log', 'a topic'), unavailable],
  [new FollowError('other-topic', 'a replica of another one'), unavailable],
  [new FollowError('newer-record', 'a newer program wrote it'), unavailable],
  [new EventLogError('corrupt', 'a page is damaged'), failed],
  [new EventLogError('io', 'the disk fails'), failed],
  [new EventLogError('disk-full', 'no room'), failed],
  [new SubjectKeyStoreError('unreachable', 'no node answers'), unavailable],
  [new SubjectKeyStoreError('refused', 'a password'), unavailable],
  [new SubjectKeyStoreError('io', 'the disk fails'), failed],
  [new RedisStoreError('unreachable', 'away'), unavailable],
  [new RedisStoreError('refused', 'a password'), unavailable],
  [new RedisStoreError('another-site', 'a prefix'), unavailable],
  [new RedisStoreError('is-cluster', 'a node'), unavailable],
  [new RedisStoreError('no-cluster', 'a server'), unavailable],
  [new RedisStoreError('foreign-keys', 'a prefix'), unavailable],
  [new RedisStoreError('evicts', 'a policy'), unavailable],
  [new CassandraStoreError('unreachable', 'away'), unavailable],
  [new CassandraStoreError('refused', 'a password'), unavailable],
  [new CassandraStoreError('another-site', 'a keyspace'), unavailable],
  [new CassandraStoreError('newer-format', 'a keyspace'), unavailable],
])('%o ends a command with %i', (error, exitCode) => {
  expect(failureOf(error)).toEqual({ exitCode, code: error.code, message: error.message });
});
