import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOn } from '@annals/core/testing';
import { describeEventLog } from '@annals/event-log/contract';
import { kafkaEventLog } from './kafka-event-log.ts';
import { removeTopic } from './testing/remove-topic.ts';

await describeOn('kafka', 'on a real broker', (kafka) => {
  const brokers = kafka.addresses;
  describeEventLog('The Kafka log', {
    site: async () => {
      const topic = `contract-${randomUUID()}`;
      const folder = mkdtempSync(join(tmpdir(), 'annals-kafka-'));
      const open = () =>
        kafkaEventLog({
          connection: { brokers },
          topic,
          folder: mkdtempSync(join(folder, 'replica-')),
          partitions: 2,
        });
      return {
        open,
        childProcess: {
          module: new URL('./testing/open-log.ts', import.meta.url).href,
          argument: JSON.stringify({ broker: brokers[0], topic, folder }),
        },
        dispose: async () => {
          await removeTopic(brokers, topic);
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  });
});
