import { describeOn } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { removeReplica } from '@annals/event-log-sqlite/replica';
import { expect, onTestFinished, test } from 'vitest';
import { startFollowerThread } from './follower-client.ts';
import { type KafkaEngine, kafkaEngine } from './kafka-engine.ts';
import { type KafkaEventLog, kafkaEventLogOn } from './kafka-event-log.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';

const partitions = 3;
const streams = Array.from({ length: 9 }, (_, at) => `sample-${at}`);
const any = { expected: 'any' } as const;

await describeOn('kafka', 'a topic that two threads follow', (kafka) => {
  async function openOn(
    topic: string,
    folder = freshFolder(),
    more: Partial<KafkaEngine> = {},
  ): Promise<KafkaEventLog> {
    const options = { connection: { brokers: kafka.addresses }, topic, folder, partitions };
    const engine = { ...kafkaEngine(options), followerThreads: () => 2, ...more };
    const log = await kafkaEventLogOn(engine, options);
    onTestFinished(() => log.close());
    return log;
  }

  test('is one log: who was answered reads what he wrote, in every partition', async () => {
    const site = freshTopic(kafka);
    const log = await openOn(site.topic);
    await Promise.all(
      streams.map(async (stream) => {
        for (let revision = 0; revision < 12; revision += 1) {
          const expected = revision === 0 ? 'no-stream' : revision - 1;
          const told = await log.append(stream, [sampleEvent()], { expected });
          expect(told).toMatchObject({ kind: 'stored', revision });
          expect((await log.readStream(stream, { limit: 1 })).head).toBe(revision);
        }
      }),
    );
    const digest = (await hashLog(log)).digest();
    await log.close();
    const again = await openOn(site.topic, log.folder);
    expect((await hashLog(again)).digest()).toBe(digest);
    const single = await site.open({ partitions });
    expect((await hashLog(single)).digest()).toBe(digest);
    expect(single.status()).toEqual(
      [...again.status()].sort((one, other) => one.partition - other.partition),
    );
  }, 90_000);

  test('the damage of one replica ends both, and is healed like that of a single one', async () => {
    const site = freshTopic(kafka);
    const folder = freshFolder();
    const served: (readonly number[])[] = [];
    const ends: (() => void)[] = [];
    const log = await openOn(site.topic, folder, {
      startFollower: (task, ears) => {
        const link = startFollowerThread(task, ears);
        served.push(task.served);
        ends.push(() => {
          link.terminate();
          for (const partition of task.served) removeReplica(folder, partition);
          const error = { code: 'corrupt', removed: true, message: 'malformed' } as const;
          ears.onMessage({ kind: 'failed', error });
        });
        return link;
      },
    });
    const write = () =>
      Promise.all(streams.map((stream) => log.append(stream, [sampleEvent()], any)));
    await write();
    expect(served).toEqual([[0, 2], [1]]);
    ends[1]?.();
    expect(await write()).toEqual(streams.map(() => expect.objectContaining({ kind: 'stored' })));
    expect((await log.read('start', {}, { limit: 1_000 })).events).toHaveLength(18);
    const other = await site.open({ partitions });
    expect((await hashLog(log)).digest()).toBe((await hashLog(other)).digest());
    expect(served).toHaveLength(4);
  }, 90_000);
});
