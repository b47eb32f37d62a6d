import { EnginesError, enginesFolder, identityOf, up } from '@annals/engines';
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs';

export type KafkaPeer =
  | { readonly kind: 'running'; readonly brokers: readonly string[] }
  /** With what installs it. */
  | { readonly kind: 'missing'; readonly reason: string };

/** How long the broker stays after this process, for the next one that asks. */
const lingerMs = 5_000;

/** A broker on loopback that goes away with this process; `ANNALS_TEST_KAFKA=host:port` names another. */
export async function startKafka(tell: (line: string) => void): Promise<KafkaPeer> {
  const { env } = process;
  const given = env.ANNALS_TEST_KAFKA;
  if (given) return { kind: 'running', brokers: given.split(',') };
  const self = identityOf(process.pid);
  if (!self) throw new Error('this process is not among those that run');
  const { signal } = new AbortController();
  const site = { folder: enginesFolder(env), env, say: tell, signal };
  try {
    const { url } = await up(site, 'kafka', { process: self, lingerMs });
    return { kind: 'running', brokers: url.replace('kafka://', '').split(',') };
  } catch (error) {
    if (!(error instanceof EnginesError) || error.code !== 'missing-program') throw error;
    return { kind: 'missing', reason: error.message };
  }
}

/** kafkajs and nothing else, on one topic of its own. */
export class RawKafka {
  readonly #kafka: Kafka;
  readonly #topic: string;
  readonly #producer: Producer;

  constructor(brokers: readonly string[], topic: string) {
    this.#kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    this.#topic = topic;
    this.#producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
  }

  /** A topic like the one that the log makes. */
  async open(partitions: number): Promise<void> {
    const admin = this.#kafka.admin();
    await admin.connect();
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: this.#topic, numPartitions: partitions, replicationFactor: 1 }],
    });
    await admin.disconnect();
    await this.#producer.connect();
  }

  /** One request, acknowledged as the log wants it. */
  async send(messages: readonly Message[]): Promise<void> {
    await this.#producer.send({ topic: this.#topic, acks: -1, messages: [...messages] });
  }

  /**
   * Reads the first `count` records of `topic` from its beginning. Tells how many a second, from the first
   * batch on: to join a group takes its time, and is not what is measured.
   */
  async consume(topic: string, count: number, each?: (message: Message) => void): Promise<number> {
    const consumer = this.#kafka.consumer({ groupId: `bench-${process.pid}-${performance.now()}` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const asked = performance.now();
    let first: { readonly at: number; readonly records: number } | undefined;
    let read = 0;
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { messages, partition } }) => {
        for (const { key, value } of messages) each?.({ key, value, partition });
        read += messages.length;
        first ??= { at: performance.now(), records: read };
        if (read >= count) resolve();
      },
    });
    await done;
    const began = first && first.records < read ? first : { at: asked, records: 0 };
    const perSecond = ((read - began.records) * 1_000) / (performance.now() - began.at);
    await consumer.disconnect();
    return perSecond;
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }
}
