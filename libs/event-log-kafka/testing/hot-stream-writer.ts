import { once } from 'node:events';
import { newId, sha256 } from '@annals/core';
import { kafkaEventLog } from '../index.ts';

/**
 * `{ brokers, topic, folder, callers, appends }`: each caller appends so many events to one stream, and
 * each time reads its head and expects that, until it was taken. Says `ready`, begins when it is told
 * anything, and ends with what became of each caller: a line of JSON.
 */

interface Task {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly folder: string;
  readonly callers: number;
  readonly appends: number;
}

export interface CallerTale {
  readonly attempts: number;
  /** When each append was taken: milliseconds since 1970. */
  readonly takenAt: readonly number[];
  /** The most attempts that one append took. */
  readonly attemptsMost: number;
}

export const hotStream = 'hot-1';

async function run({ brokers, topic, folder, callers, appends }: Task): Promise<void> {
  const log = await kafkaEventLog({ connection: { brokers }, topic, folder, create: false });
  const call = async (): Promise<CallerTale> => {
    const takenAt: number[] = [];
    let attempts = 0;
    let attemptsMost = 0;
    while (takenAt.length < appends) {
      const data = '{"points":1}';
      const what = { type: 'sampled', schemaVersion: 1, data, contentHash: sha256(data) };
      const event = { id: newId(), ...what, occurredAt: Date.now() };
      for (let attempt = 1; ; attempt += 1) {
        const { head } = await log.readStream(hotStream, { direction: 'backward', limit: 1 });
        const result = await log.append(hotStream, [event], { expected: head });
        attempts += 1;
        attemptsMost = Math.max(attemptsMost, attempt);
        if (result.kind === 'stored') break;
        if (result.kind !== 'conflict') throw new Error(JSON.stringify(result));
      }
      takenAt.push(Date.now());
    }
    return { attempts, takenAt, attemptsMost };
  };
  process.stdout.write('ready\n');
  await once(process.stdin, 'data');
  const tales = await Promise.all(Array.from({ length: callers }, call));
  await log.close();
  process.stdout.write(`${JSON.stringify(tales)}\n`);
  process.exit();
}

const argument = process.argv[2];
if (argument) await run(JSON.parse(argument) as Task);
