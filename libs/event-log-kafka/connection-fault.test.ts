import { EventLogError } from '@annals/event-log';
import * as kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { connectionFault, isRefusal } from './connection-fault.ts';

// Their constructors are not in the client's types.
type Made = { readonly [name: string]: new (...given: unknown[]) => Error };
const client = kafkajs as unknown as Made;
const made = (name: string, ...given: unknown[]) => new (client[name] as Made[string])(...given);
const protocol = (type: string) =>
  made('KafkaJSProtocolError', Object.assign(new Error('said'), { type, code: 1 }));
const denied = made('KafkaJSSASLAuthenticationError', 'no such user');

test.each([
  ['unreachable', made('KafkaJSConnectionError', 'connect ECONNREFUSED')],
  ['unreachable', made('KafkaJSBrokerNotFound', 'no broker')],
  ['unreachable', made('KafkaJSNumberOfRetriesExceeded', new Error('x'), { retryCount: 3 })],
  ['unreachable', new Error('Broker not connected')],
  ['refused', denied],
  ['refused', made('KafkaJSNonRetriableError', denied, { cause: denied })],
  ['refused', protocol('ILLEGAL_SASL_STATE')],
  ['refused', protocol('CLUSTER_AUTHORIZATION_FAILED')],
  ['io', protocol('UNKNOWN_SERVER_ERROR')],
  ['io', new Error('something else')],
])('%s: %s', (code, error) => {
  const fault = connectionFault(error, ['h:1', 'h:2']);
  expect(fault).toMatchObject({ name: 'EventLogError', code, cause: error });
  expect(fault.message).toMatch(/^Kafka at h:1, h:2: /);
});

test('a refusal is told from a broker that is away', () => {
  expect(isRefusal(protocol('CLUSTER_AUTHORIZATION_FAILED'))).toBe(true);
  expect(isRefusal(made('KafkaJSNonRetriableError', denied, { cause: denied }))).toBe(true);
  expect(isRefusal(made('KafkaJSBrokerNotFound', 'no broker'))).toBe(false);
});

test('what is an error of a log already stays what it is', () => {
  const wrong = new EventLogError('not-a-log', 'a topic');
  expect(connectionFault(wrong, ['h:1'])).toBe(wrong);
});
