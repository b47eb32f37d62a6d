import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId, sha256 } from '@annals/core';
import type { NewEvent } from '@annals/event-log';
import { kafkaEventLog } from '../index.ts';

/**
 * `{ brokers, topic, folder, seconds }`: several callers append to the same few streams, each expecting
 * the revision it read. Says what it asks before it asks, and what it was told: a line of JSON each.
 */

interface Task {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly folder: string;
  readonly seconds: number;
}

export type Said =
  | {
      readonly say: 'ask';
      readonly stream: string;
      readonly expected: number | 'no-stream' | 'any';
      readonly ids: readonly string[];
    }
  | { readonly say: 'told'; readonly id: string; readonly result: unknown }
  | { readonly say: 'end'; readonly hashes: readonly string[] };

export const contendedStreams = 3;
const callers = 6;
/** So that the other process, which has just begun, gets its share of a small machine. */
const pauseMs = 2;

function newEvent(): NewEvent {
  const data = '{"points":1}';
  const occurredAt = 1_767_323_045_678;
  return {
    id: newId(),
    type: 'sampled',
    schemaVersion: 1,
    data,
    contentHash: sha256(data),
    occurredAt,
  };
}

/** Written before this returns. A pipe whose reader is slow is full for a while. */
function say(said: Said): void {
  for (;;) {
    try {
      writeSync(1, `${JSON.stringify(said)}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

async function run({ brokers, topic, folder, seconds }: Task): Promise<void> {
  const log = await kafkaEventLog({ connection: { brokers }, topic, folder, create: false });
  const until = performance.now() + seconds * 1_000;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let round = caller; performance.now() < until; round += 1) {
        const stream = `contended-${round % contendedStreams}`;
        const { head } = await log.readStream(stream, { direction: 'backward', limit: 1 });
        const events = Array.from({ length: 1 + (round % 3) }, newEvent);
        const expected = round % 5 === 0 ? 'any' : head;
        say({ say: 'ask', stream, expected, ids: events.map((event) => event.id) });
        const result = await log.append(stream, events, { expected });
        say({ say: 'told', id: (events[0] as NewEvent).id, result });
        await sleep(pauseMs);
      }
    }),
  );
  for (let stream = 0; stream < contendedStreams; stream += 1) {
    await log.barrier(`contended-${stream}`);
  }
  const hashes = log.status().map((one) => `${one.partition} ${one.offset} ${one.verdictHash}`);
  await log.close();
  say({ say: 'end', hashes });
}

const argument = process.argv[2];
if (argument) await run(JSON.parse(argument) as Task);
