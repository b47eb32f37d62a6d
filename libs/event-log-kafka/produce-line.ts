import { within } from '@annals/core/within';
import { CompressionTypes, type Kafka, type Message, type Producer } from 'kafkajs';
import { errorsWithin, isRefusal } from './connection-fault.ts';
import type { OnReport } from './kafka-connection.ts';
import { kafkaLimits } from './kafka-limits.ts';

/**
 * What became of one request. `not-sent`: no broker could be reached, so nothing of it will ever be in
 * the topic. `in-doubt`: it may be there, or come there later.
 */
export type Produced = 'acknowledged' | 'not-sent' | 'in-doubt' | NotLet | RefusedRequest;

/** Nothing was sent either: the brokers do not let us write. Only an operator can mend that. */
export interface NotLet {
  readonly kind: 'not-let';
  /** The broker's words. */
  readonly reason: string;
}

/**
 * A broker has answered that it does not take it, and would not if it were sent again. What the request had for other
 * partitions may be in the topic.
 */
export interface RefusedRequest {
  readonly kind: 'refused';
  /** Fewer or smaller records would be taken. */
  readonly isTooLarge: boolean;
  /** The broker's words. */
  readonly reason: string;
}

export function isRefused(produced: Produced): produced is RefusedRequest {
  return typeof produced === 'object' && produced.kind === 'refused';
}

export function isNotLet(produced: Produced): produced is NotLet {
  return typeof produced === 'object' && produced.kind === 'not-let';
}

export type Compression = 'none' | 'gzip';

/**
 * Sends one request at a time with acks=all through an idempotent producer. After any failure the
 * producer is replaced: kafkajs would number its next record like one that may be in the topic
 * already, and the broker would then take the new one for the old and drop it.
 */
export class ProduceLine {
  readonly #kafka: Kafka;
  readonly #topic: string;
  readonly #compression: CompressionTypes;
  readonly #onReport: OnReport;
  #producer: Producer | undefined;

  constructor(kafka: Kafka, topic: string, compression: Compression, onReport: OnReport) {
    this.#kafka = kafka;
    this.#topic = topic;
    this.#compression = compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None;
    this.#onReport = onReport;
  }

  /** Never rejects. Each message names its partition. */
  async send(messages: Message[]): Promise<Produced> {
    const producer = this.#producer ?? (await this.#connect());
    if (producer === 'not-sent' || 'reason' in producer) return producer;
    this.#producer = producer;
    let failed: 'in-doubt' | RefusedRequest = 'in-doubt';
    try {
      const sending = producer.send({
        topic: this.#topic,
        acks: -1,
        timeout: kafkaLimits.brokerAckMsMax,
        compression: this.#compression,
        messages,
      });
      const sent = await within(sending, kafkaLimits.produceMsMax, () => undefined);
      if (sent) return 'acknowledged';
      this.#report(`no answer within ${kafkaLimits.produceMsMax} ms`);
    } catch (error) {
      this.#report((error as Error).message);
      failed = refusedBy(error as Error) ?? 'in-doubt';
    }
    this.#drop(producer);
    return failed;
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    if (producer) await within(ended(producer), kafkaLimits.connectMsMax, () => undefined);
  }

  async #connect(): Promise<Producer | 'not-sent' | NotLet> {
    const producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
      retry: { retries: kafkaLimits.produceRetries, initialRetryTime: 50, maxRetryTime: 500 },
    });
    let failed: 'not-sent' | NotLet = 'not-sent';
    try {
      const connecting = producer.connect().then(() => true);
      if (await within(connecting, kafkaLimits.connectMsMax, () => false)) return producer;
      this.#report(`no broker answers within ${kafkaLimits.connectMsMax} ms`);
    } catch (error) {
      const reason = (error as Error).message;
      this.#report(reason);
      if (isRefusal(error)) failed = { kind: 'not-let', reason };
    }
    this.#drop(producer);
    return failed;
  }

  #drop(producer: Producer): void {
    this.#producer = undefined;
    void ended(producer);
  }

  #report(message: string): void {
    this.#onReport({ level: 'warn', message: `producing: ${message}`, fields: {} });
  }
}

function ended(producer: Producer): Promise<void> {
  return producer.disconnect().catch(() => undefined);
}

const tooLarge: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** Answers about what was asked, or about who asks. Others (of the producer's number, say) tell nothing of the records. */
const refusals: ReadonlySet<string> = new Set([
  ...tooLarge,
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
]);

function refusedBy(error: Error): RefusedRequest | undefined {
  for (const { type, message } of errorsWithin(error)) {
    if (type === undefined || !refusals.has(type)) continue;
    return { kind: 'refused', isTooLarge: tooLarge.has(type), reason: message };
  }
  return undefined;
}
