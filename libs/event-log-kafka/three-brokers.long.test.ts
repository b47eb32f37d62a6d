import { setTimeout as sleep } from 'node:timers/promises';
import { describeOn, type Engine } from '@annals/core/testing';
import { within } from '@annals/core/within';
import { hashLog } from '@annals/event-log';
import { sampleEvents } from '@annals/event-log/contract';
import { expect, test } from 'vitest';
import { type KafkaEventLog, kafkaLimits } from './index.ts';
import type { Said } from './testing/contending-writer.ts';
import { freshTopic } from './testing/fresh-topic.ts';
import { faultsIn } from './testing/history-checker.ts';
import { wholeStreams } from './testing/whole-streams.ts';

const streams = ['brokers-0', 'brokers-1', 'brokers-2'];
const callers = 12;
const patience = { timeout: 120_000, interval: 100 };

/** Callers that append to the same few streams and write down what they ask and what they are told. */
class Load {
  readonly said: Said[] = [];
  readonly #log: KafkaEventLog;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor(log: KafkaEventLog) {
    this.#log = log;
    this.#ended = Promise.all(Array.from({ length: callers }, (_, caller) => this.#call(caller)));
  }

  /** How many appends were told to be stored. */
  get stored(): number {
    return this.said.filter((one) => one.say === 'told' && isStored(one.result)).length;
  }

  /** Resolves when so many more were stored. */
  async more(appends: number): Promise<void> {
    const before = this.stored;
    await expect.poll(() => this.stored - before, patience).toBeGreaterThan(appends);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #call(caller: number): Promise<void> {
    for (let round = caller; !this.#stop.signal.aborted; round += 1) {
      const stream = streams[round % streams.length] as string;
      const { head } = await this.#log.readStream(stream, { direction: 'backward', limit: 1 });
      const events = sampleEvents(1 + (round % 3));
      const expected = round % 4 === 0 ? head : 'any';
      const ids = events.map(({ id }) => id);
      this.said.push({ say: 'ask', stream, expected, ids });
      const result = await this.#log.append(stream, events, { expected });
      this.said.push({ say: 'told', id: ids[0] as string, result });
      await sleep(5);
    }
  }
}

function isStored(result: unknown): boolean {
  return (result as { readonly kind: string }).kind === 'stored';
}

/** A process that was there all the time and one that begins now have the same log, without a fault. */
async function mustBeSound(
  log: KafkaEventLog,
  open: () => Promise<KafkaEventLog>,
  said: readonly Said[],
): Promise<void> {
  expect(faultsIn([said], await wholeStreams(log, streams))).toEqual([]);
  const fresh = await open();
  expect(fresh.status()).toEqual(log.status());
  expect((await hashLog(fresh)).digest()).toBe((await hashLog(log)).digest());
}

await describeOn(
  'kafka3',
  'three brokers',
  (kafka: Engine) => {
    test('each one killed in turn while appends go on: nothing acknowledged is lost, and they go on', async () => {
      const site = freshTopic(kafka);
      const log = await site.open({ partitions: 3 });
      const load = new Load(log);
      for (const node of [1, 2, 3]) {
        await load.more(100);
        await kafka.act('kill', node);
        // Without one of three: its partitions get other leaders.
        await load.more(100);
        await kafka.act('start', node);
      }
      await load.more(100);
      await load.end();
      await mustBeSound(log, () => site.open({ partitions: 3 }), load.said);
    }, 900_000);

    test('a topic with one replica is refused unless that is what was asked for', async () => {
      const site = freshTopic(kafka);
      await (await site.open({ replicationFactor: 1 })).close();
      await expect(site.open()).rejects.toThrow(
        /has 1 replicas, and there are 3 brokers: .*, or configure 1$/,
      );
      await (await site.open({ replicationFactor: 1 })).close();
    });

    test('too few in sync: appends end in bounded time without being stored, reads go on, and it heals', async () => {
      const site = freshTopic(kafka);
      // So that the loss of one is enough, with which the cluster itself lives on.
      const log = await site.open({ partitions: 3, minInSyncReplicas: 3 });
      const load = new Load(log);
      await load.more(50);
      await kafka.act('kill', 2);
      await load.end();
      const { head } = await log.readStream('brokers-0', { direction: 'backward', limit: 1 });
      const appending = log.append('brokers-0', sampleEvents(1), { expected: 'any' });
      // A busy machine may take its time, but not for ever.
      const msMax = 3 * (kafkaLimits.produceMsMax + kafkaLimits.settleMsMax);
      const result = await within(appending, msMax, () => ({ kind: 'never answered' }));
      expect(['refused', 'unknown']).toContain(result.kind);
      expect((await log.readStream('brokers-0', { direction: 'backward' })).head).toBe(head);
      await kafka.act('start', 2);
      const again = async () =>
        (await log.append('brokers-9', sampleEvents(1), { expected: 'any' })).kind;
      await expect.poll(again, { ...patience, timeout: 120_000 }).toBe('stored');
      const later = new Load(log);
      await later.more(50);
      await later.end();
      const settings = { partitions: 3, minInSyncReplicas: 3 };
      await mustBeSound(log, () => site.open(settings), [...load.said, ...later.said]);
    }, 900_000);
  },
  { label: 'kfk-faults' },
);
