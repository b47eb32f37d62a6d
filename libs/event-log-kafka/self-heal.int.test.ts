import { describeOn, type Engine } from '@annals/core/testing';
import { hashLog } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import { removeReplica } from '@annals/event-log-sqlite/replica';
import { expect, onTestFinished, test } from 'vitest';
import { type FollowerEars, kafkaEventLogOn } from './engine.ts';
import { startFollowerThread } from './follower-client.ts';
import type { KafkaEventLog } from './index.ts';
import { kafkaEngine } from './kafka-engine.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { freshFolder } from './testing/fresh-follower.ts';
import { freshTopic } from './testing/fresh-topic.ts';

const any = { expected: 'any' } as const;
const partitions = 2;

/** A log whose replica can be broken: its follower meets damage, removes the files and ends, as it does by itself. */
async function breakableLog(kafka: Engine, topic: string) {
  const folder = freshFolder();
  const reports: string[] = [];
  const options = {
    ...{ connection: { brokers: kafka.addresses }, topic, folder, partitions },
    onReport: ({ message }: { readonly message: string }) => void reports.push(message),
  };
  let break_: () => void = () => undefined;
  const log = await kafkaEventLogOn(
    {
      ...kafkaEngine(options),
      startFollower: (task, ears) => {
        let deaf = false;
        const heard: FollowerEars = {
          onMessage: (message) => deaf || ears.onMessage(message),
          onError: (error) => deaf || ears.onError(error),
          onExit: () => ears.onExit(),
        };
        const link = startFollowerThread(task, heard);
        break_ = () => {
          deaf = true;
          link.terminate();
          for (let partition = 0; partition < partitions; partition += 1) {
            removeReplica(folder, partition);
          }
          const message = 'the disk image is malformed';
          ears.onMessage({ kind: 'failed', error: { code: 'corrupt', removed: true, message } });
        };
        return link;
      },
    },
    options,
  );
  onTestFinished(() => log.close());
  return { log, reports, breakReplica: () => break_() };
}

async function fill(log: KafkaEventLog, count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    const stored = await log.append(`sample-${round % 5}`, [sampleEvent()], any);
    expect(stored.kind).toBe('stored');
  }
}

await describeOn('kafka', 'a replica that is damaged while its process runs', (kafka) => {
  test('is made anew: reads wait for it, appends under way are answered, nothing is lost', async () => {
    const site = freshTopic(kafka);
    const { log, reports, breakReplica } = await breakableLog(kafka, site.topic);
    await fill(log, 40);
    const subscribed = log.subscribe({})[Symbol.asyncIterator]();
    const first = await subscribed.next();
    expect(first.value).toMatchObject({ kind: 'events' });
    const underWay = [0, 1, 2].map((stream) =>
      log.append(`sample-${stream}`, [sampleEvent()], any),
    );
    breakReplica();
    const head = log.readStream('sample-4');
    expect(await Promise.all(underWay)).toMatchObject([
      { kind: 'stored', revision: 8 },
      { kind: 'stored', revision: 8 },
      { kind: 'stored', revision: 8 },
    ]);
    expect((await head).head).toBe(7);
    expect(reports.filter((one) => one.includes('made anew from the topic'))).toHaveLength(1);
    await fill(log, 10);
    const other = await site.open();
    await other.barrier('sample-0');
    await other.barrier('sample-1');
    expect((await hashLog(log)).digest()).toBe((await hashLog(other)).digest());
    // A subscription from before the damage goes on where it was.
    let seen = first.value.kind === 'events' ? first.value.events.length : 0;
    while (seen < 53) {
      const { value } = await subscribed.next();
      if (value.kind === 'events') seen += value.events.length;
    }
    expect(seen).toBe(53);
    await subscribed.return?.();
  }, 120_000);

  test('again and again is a disk that is broken: then the log says so', async () => {
    const site = freshTopic(kafka);
    const { log, breakReplica } = await breakableLog(kafka, site.topic);
    for (let heal = 0; heal < kafkaLimits.healsMax; heal += 1) {
      breakReplica();
      await fill(log, 2);
      await log.head();
    }
    breakReplica();
    await expect(log.head()).rejects.toMatchObject({ code: 'corrupt' });
    await expect(fill(log, 1)).rejects.toMatchObject({ code: 'corrupt' });
  }, 120_000);
});
