import { describeOn } from '@annals/core/testing';
import { describeEventLog } from '@annals/event-log/contract';
import { contractOpeners } from './testing/contract-openers.ts';

/** Many more are made by the long suite: each opens a log on a topic, which takes its time. */
const kills = 6;

await describeOn('kafka', 'on a real broker', (kafka) => {
  describeEventLog('The Kafka log', { ...contractOpeners(kafka.addresses), kills });
});
