import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventLog } from '@annals/event-log';
import { kafkaEventLog } from '../index.ts';

/** How the child processes of the contract open the log of their site: each has a replica of its own. */
export function openLog(argument: string): Promise<EventLog> {
  const { broker, topic, folder } = JSON.parse(argument) as {
    readonly broker: string;
    readonly topic: string;
    readonly folder: string;
  };
  return kafkaEventLog({
    connection: { brokers: [broker] },
    topic,
    folder: mkdtempSync(join(folder || tmpdir(), 'child-')),
    create: false,
  });
}
