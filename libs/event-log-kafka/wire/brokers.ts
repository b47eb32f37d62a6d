import { createRequire } from 'node:module';
import { EventLogError } from '@annals/event-log/port';
import type { Kafka } from 'kafkajs';
import { WireReader, type WireWriter } from './wire-bytes.ts';

/** One request that kafkajs does not know, or not in the version that is needed. */
export interface WireRequest<Answer> {
  readonly apiKey: number;
  readonly apiVersion: number;
  /** Of protocols that have tags behind their headers. */
  readonly flexible: boolean;
  readonly apiName: string;
  readonly body: WireWriter;
  read(answer: WireReader): Answer;
}

/** What is used of a broker's connection in kafkajs. */
interface ConnectedBroker {
  readonly versions: { readonly [apiKey: number]: { readonly maxVersion: number } };
  readonly connectionPool: {
    send(protocol: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        encode(): Promise<unknown>;
      };
      readonly response: {
        decode(payload: Buffer): Promise<{ readonly reader: WireReader }>;
        parse(decoded: { readonly reader: WireReader }): Promise<unknown>;
      };
    }): Promise<unknown>;
  };
  listOffsets(asked: {
    readonly isolationLevel: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
    }[];
  }): Promise<{
    readonly responses: readonly {
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[];
  }>;
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findLeaderForPartitions(
    topic: string,
    partitions: readonly number[],
  ): { readonly [nodeId: string]: readonly number[] };
  findBroker(which: { readonly nodeId: string }): Promise<ConnectedBroker>;
}

type CreateCluster = (options: {
  readonly metadataMaxAge: number;
  readonly allowAutoTopicCreation: boolean;
}) => Cluster;

interface Encoder {
  writeBuffer(bytes: Buffer): Encoder;
}

const metadataMsMax = 300_000;
const earliest = -2;
const latest = -1;
/** The end is that of all records, as they are fetched: kafkajs would tell where the first open transaction begins. */
const readUncommitted = 0;

export interface OffsetRange {
  readonly low: number;
  readonly end: number;
}

/** It passes: a leader is being elected, or a broker has not heard of one. */
class NoLeaderError extends EventLogError {
  readonly retriable = true;
  constructor(topic: string) {
    super('unreachable', `a partition of ${topic} has no leader`);
  }
}

/** kafkajs writes the length of a buffer in front of it in every other method. */
const EncoderOfKafkajs = createRequire(import.meta.url)(
  'kafkajs/src/protocol/encoder.js',
) as new () => Encoder;

/** A broker that answers requests of our own. */
export class WireBroker {
  readonly #broker: ConnectedBroker;

  constructor(broker: ConnectedBroker) {
    this.#broker = broker;
  }

  /** The newest version of a request that it knows; -1 when it knows none. */
  newest(apiKey: number): number {
    return this.#broker.versions[apiKey]?.maxVersion ?? -1;
  }

  async send<Answer>(asked: WireRequest<Answer>): Promise<Answer> {
    const { apiKey, apiVersion, apiName, flexible, body } = asked;
    const answer = await this.#broker.connectionPool.send({
      request: {
        ...{ apiKey, apiVersion, apiName },
        encode: async () => {
          const bytes = body.bytes();
          // The header's tags stand behind what kafkajs writes of it.
          const whole = flexible ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
          return new EncoderOfKafkajs().writeBuffer(whole);
        },
      },
      response: {
        decode: async (payload) => ({ reader: new WireReader(payload) }),
        parse: async ({ reader }) => {
          if (flexible) reader.skipTags();
          return asked.read(reader);
        },
      },
    });
    return answer as Answer;
  }

  /** The first offset of a partition, and the one that its next record gets. */
  async range(topic: string, partition: number): Promise<OffsetRange> {
    const [range] = await this.ranges(topic, [partition]);
    return range as OffsetRange;
  }

  /** The same of several that it leads, in their order. */
  async ranges(topic: string, partitions: readonly number[]): Promise<OffsetRange[]> {
    const [low, end] = await Promise.all([
      this.#offsetsAt(topic, partitions, earliest),
      this.#offsetsAt(topic, partitions, latest),
    ]);
    const mustBe = (offsets: ReadonlyMap<number, number>, partition: number) => {
      const offset = offsets.get(partition);
      if (offset !== undefined) return offset;
      throw new Error(`Kafka does not say where partition ${partition} begins and ends`);
    };
    return partitions.map((partition) => ({
      low: mustBe(low, partition),
      end: mustBe(end, partition),
    }));
  }

  async #offsetsAt(
    topic: string,
    partitions: readonly number[],
    timestamp: number,
  ): Promise<ReadonlyMap<number, number>> {
    const topics = [
      { topic, partitions: partitions.map((partition) => ({ partition, timestamp })) },
    ];
    const { responses } = await this.#broker.listOffsets({
      isolationLevel: readUncommitted,
      topics,
    });
    const found = responses.flatMap((response) => response.partitions);
    return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
  }
}

/**
 * The connections of a kafkajs client, for requests that it has no method for: it has found the brokers,
 * agreed on versions and said who we are. Throws when kafkajs has another shape than in 2.2.4.
 */
export class Brokers {
  readonly #cluster: Cluster;
  readonly #topic: string;

  constructor(kafka: Kafka, topic: string) {
    const key = Object.getOwnPropertySymbols(kafka).find(
      ({ description }) => description === 'private:Kafka:createCluster',
    );
    const create = key && (kafka as unknown as { readonly [key: symbol]: CreateCluster })[key];
    if (!create) throw new Error('kafkajs makes no cluster as it did in 2.2.4');
    this.#cluster = create({ metadataMaxAge: metadataMsMax, allowAutoTopicCreation: false });
    this.#topic = topic;
  }

  /** Finds out who leads which of `partitions`. Throws where no broker answers, or the topic is not there. */
  async leaders(
    partitions: readonly number[],
  ): Promise<{ readonly broker: WireBroker; readonly partitions: readonly number[] }[]> {
    await this.#cluster.connect();
    await this.#cluster.addTargetTopic(this.#topic);
    const leaders = this.#cluster.findLeaderForPartitions(this.#topic, partitions);
    const led = Object.values(leaders).flat().length;
    if (led < partitions.length) throw new NoLeaderError(this.#topic);
    return Promise.all(
      Object.entries(leaders).map(async ([nodeId, those]) => ({
        broker: new WireBroker(await this.#cluster.findBroker({ nodeId })),
        partitions: those,
      })),
    );
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => undefined);
  }
}
