import { expect, test } from 'vitest';
import { type ClientReport, kafkaClient } from './kafka-connection.ts';

/** A client that connects to nothing, and what it reported. */
function quietClient() {
  const reports: ClientReport[] = [];
  const bounds = { requestMsMax: 100, retries: 0 };
  const client = kafkaClient({ brokers: ['127.0.0.1:1'] }, bounds, (report) =>
    reports.push(report),
  );
  const told = () => reports.map(({ level, message }) => [level, message]);
  return { client, told };
}

test('what the client warns of and is as we want it is no trouble', () => {
  const { client, told } = quietClient();
  const ours = { idempotent: true, maxInFlightRequests: 1, retry: { retries: 3 } };
  client.producer({ ...ours, createPartitioner: () => () => 0 });
  client.logger().namespace('RequestQueue').warn('Response without match', { clientId: 'annals' });
  expect(told()).toEqual([
    ['info', expect.stringMatching(/^Producer: Limiting retries for the idempotent producer/)],
    ['info', 'RequestQueue: Response without match'],
  ]);
});

test('trouble is told with its reason', () => {
  const { client, told } = quietClient();
  const logger = client.logger().namespace('Connection');
  logger.error('Connection error', { error: 'connect ECONNREFUSED', broker: '127.0.0.1:1' });
  logger.warn('Something else', { error: new Error('no disk') });
  logger.warn('Something more', { retryCount: 3 });
  expect(told()).toEqual([
    ['error', 'Connection: Connection error: connect ECONNREFUSED'],
    ['warn', 'Connection: Something else: no disk'],
    ['warn', 'Connection: Something more'],
  ]);
});
