import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogOpeners } from '@annals/event-log/contract';
import { kafkaEventLog } from '../kafka-event-log.ts';
import type { KafkaEventLogOptions } from '../kafka-log-options.ts';
import { removeTopic } from './remove-topic.ts';

/** Sites of the contract: each is a topic, each instance has a replica of its own. */
export function contractOpeners(
  brokers: readonly string[],
  options: Partial<KafkaEventLogOptions> = {},
): LogOpeners {
  return {
    site: async () => {
      const topic = `contract-${randomUUID()}`;
      const folder = mkdtempSync(join(tmpdir(), 'annals-kafka-'));
      const open = () =>
        kafkaEventLog({
          ...{ connection: { brokers }, topic, partitions: 2 },
          folder: mkdtempSync(join(folder, 'replica-')),
          ...options,
        });
      return {
        open,
        childProcess: {
          module: new URL('./open-log.ts', import.meta.url).href,
          argument: JSON.stringify({ broker: brokers[0], topic, folder }),
        },
        dispose: async () => {
          await removeTopic(brokers, topic);
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}
