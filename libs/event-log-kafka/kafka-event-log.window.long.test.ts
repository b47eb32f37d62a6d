import { describeOn } from '@annals/core/testing';
import { describeEventLog } from '@annals/event-log/contract';
import { contractOpeners } from './testing/contract-openers.ts';

/** Almost every body that the contract reads comes from the topic. */
const bodyRecordsMax = 3;

await describeOn('kafka', 'on a real broker, with a window of bodies', (kafka) => {
  const openers = contractOpeners(kafka.addresses, { bodyRecordsMax });
  describeEventLog('The Kafka log', { ...openers, kills: 3, propertyRuns: 20 });
});
