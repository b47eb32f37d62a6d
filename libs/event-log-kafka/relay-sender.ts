import { EventLogError } from '@annals/event-log/port';
import type { Message } from 'kafkajs';
import type { MessageLine } from './kafka-engine.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { isRefused, type RefusedRequest } from './produce-line.ts';

/** An event that the topic does not take, however often it is sent. */
export class RelayRefusedError extends Error {
  readonly code = 'event-refused';
  readonly eventId: string;
  constructor(topic: string, message: Message, { reason, isTooLarge }: RefusedRequest) {
    const id = String(message.headers?.['event-id']);
    const bytes = (message.value as Buffer).length;
    const what = `event ${id} of ${message.key}, which has ${bytes} bytes`;
    const fix = isTooLarge ? `raise max.message.bytes of ${topic}` : `let us write to ${topic}`;
    super(`topic ${topic} does not take ${what}: ${reason}. To go on from there, ${fix}`);
    this.name = 'RelayRefusedError';
    this.eventId = id;
  }
}

export interface RelaySenderOptions {
  readonly line: Pick<MessageLine, 'send'>;
  readonly topic: string;
  /** Tries for as long as it takes, instead of `relayTriesMsMax`. */
  readonly isPatient: boolean;
  readonly signal: AbortSignal | undefined;
  nowMs(): number;
  sleep(milliseconds: number): Promise<void>;
}

/** Has one request after the other taken: the next one is never sent before. */
export class RelaySender {
  readonly #options: RelaySenderOptions;

  constructor(options: RelaySenderOptions) {
    this.#options = options;
  }

  /**
   * False when the signal ended it. What fails is sent again after pauses that grow. What is refused is sent in halves, down to the
   * one event that is to blame. Throws RelayRefusedError for that, and EventLogError `unreachable` when there was no more time.
   */
  async send(batch: Message[]): Promise<boolean> {
    const { line, topic, isPatient, signal, nowMs, sleep } = this.#options;
    const until = isPatient ? Number.POSITIVE_INFINITY : nowMs() + kafkaLimits.relayTriesMsMax;
    let pauseMs: number = kafkaLimits.retryPauseMs;
    while (signal?.aborted !== true) {
      const produced = await line.send(batch);
      if (produced === 'acknowledged') return true;
      if (isRefused(produced)) {
        const [first] = batch;
        if (first && batch.length === 1) throw new RelayRefusedError(topic, first, produced);
        const half = batch.length >> 1;
        return (await this.send(batch.slice(0, half))) && this.send(batch.slice(half));
      }
      if (typeof produced === 'object') throw new EventLogError('refused', produced.reason);
      if (nowMs() + pauseMs > until) {
        const seconds = kafkaLimits.relayTriesMsMax / 1_000;
        const message = `no Kafka broker has taken events for topic ${topic} in ${seconds} s: call it again, and it goes on`;
        throw new EventLogError('unreachable', message);
      }
      await sleep(pauseMs);
      pauseMs = Math.min(2 * pauseMs, kafkaLimits.relayPauseMsMax);
    }
    return false;
  }
}
