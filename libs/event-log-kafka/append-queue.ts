import type { AppendResult } from '@annals/event-log/port';
import type { Message } from 'kafkajs';
import { kafkaLimits } from './kafka-limits.ts';
import type { Outcome } from './partition-follower.ts';
import { isNotLet, isRefused, type Produced, type RefusedRequest } from './produce-line.ts';
import { systemTimers, type Timer, type Timers } from './timers.ts';

/** How a record that was sent is answered in the end. */
export type Answer =
  | AppendResult
  | { readonly kind: 'seen' }
  /** Kafka does not take it for a reason that only an operator can mend: nothing was stored. */
  | { readonly kind: 'denied'; readonly detail: string };

/** One record on its way. */
interface Sent {
  readonly number: number;
  readonly partition: number;
  readonly message: Message;
  readonly bytes: number;
  /** The append that this void is to settle. */
  readonly settles: Sent | undefined;
  /** Only a barrier may be sent twice without being settled. */
  readonly isBarrier: boolean;
  /** In the topic, replicated as the topic asks. */
  acknowledged: boolean;
  /** What the follower read. */
  read: Outcome['result'] | undefined;
  /** The broker has said that it does not take it. */
  refused: RefusedRequest | undefined;
  /** By when it is answered, by the clock of the timers. */
  deadline: number;
  answer(answer: Answer): void;
}

export interface AppendQueueOptions {
  send(messages: Message[]): Promise<Produced>;
  /** The message of a record that voids `voided`, which has the given number. */
  voidOf(voided: { readonly number: number; readonly partition: number }): {
    readonly number: number;
    readonly message: Message;
    readonly bytes: number;
  };
  readonly queueAppendsMax: number;
  readonly queueBytesMax: number;
  readonly timers?: Timers;
}

/**
 * Records between their callers and the topic. What waits while a request is under way goes into the
 * next one, in order. A record is answered when it was acknowledged *and* read back with its verdict. One
 * in doubt is settled by a `void` record in the same partition: whichever comes first counts.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  readonly #timers: Timers;
  #waiting: Sent[] = [];
  readonly #underWay = new Map<number, Sent>();
  #bytes = 0;
  #pumping = false;
  #looking = false;
  #linger: Timer | undefined;
  #timer: Timer | undefined;
  #idle = Promise.withResolvers<void>();

  constructor(options: AppendQueueOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#idle.resolve();
  }

  get depth(): number {
    return this.#underWay.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Why one more record of `bytes` is too much, or undefined. */
  overload(bytes: number): string | undefined {
    const { queueAppendsMax, queueBytesMax } = this.#options;
    const tooMany = this.depth >= queueAppendsMax;
    if (!tooMany && (this.depth === 0 || this.#bytes + bytes <= queueBytesMax)) return undefined;
    return `${this.depth} appends of ${this.#bytes} bytes are waiting: try again later`;
  }

  send(record: {
    readonly number: number;
    readonly partition: number;
    readonly message: Message;
    readonly bytes: number;
    readonly isBarrier: boolean;
  }): Promise<Answer> {
    return new Promise((answer) => {
      const sent: Sent = {
        ...record,
        ...{ settles: undefined, acknowledged: false, read: undefined, refused: undefined, answer },
        deadline: this.#timers.nowMs() + kafkaLimits.answerMsMax,
      };
      this.#add(sent);
      this.#waiting.push(sent);
    });
  }

  /** What the follower has read of our records. */
  read({ number, result }: Outcome): void {
    const sent = this.#underWay.get(number);
    if (!sent) return;
    // A copy may come behind it, also behind its void: the first one counts.
    sent.read ??= result;
    this.#answerIfKnown(sent);
  }

  /** Nobody follows the topic now: what is under way cannot be known. */
  abandon(detail: string): void {
    this.#waiting = [];
    this.#linger?.cancel();
    this.#linger = undefined;
    for (const sent of this.#underWay.values()) this.#end(sent, { kind: 'unknown', detail });
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.#idle.promise;
  }

  #add(sent: Sent): void {
    if (this.#underWay.size === 0) this.#idle = Promise.withResolvers();
    this.#underWay.set(sent.number, sent);
    this.#bytes += sent.bytes;
    this.#timer ??= this.#timers.after(deadlineLookMs, () => this.#lookAtDeadlines());
    this.#lookSoon();
  }

  /** After this turn and its microtasks: callers that were answered together send together again. */
  #lookSoon(): void {
    if (this.#looking || this.#pumping) return;
    this.#looking = true;
    this.#timers.soon(() => {
      this.#looking = false;
      if (this.#isDue()) void this.#pump();
      else if (this.#waiting.length > 0) {
        this.#linger ??= this.#timers.after(kafkaLimits.lingerMsMax, () => void this.#pump());
      }
    });
  }

  /**
   * A request costs its sender, the broker and every follower much the same whether it holds one record or
   * a hundred. So records wait until they are as many as those under way: callers that were answered
   * together are sent together, and two groups at most take turns. One that is alone never waits.
   */
  #isDue(): boolean {
    const waiting = this.#waiting.length;
    const sent = this.#underWay.size - waiting;
    const enough = waiting >= Math.min(sent, kafkaLimits.gatheredRecordsMax);
    return waiting > 0 && (enough || this.#waiting[0]?.settles !== undefined);
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#linger?.cancel();
    this.#linger = undefined;
    do {
      const batch = this.#takeBatch();
      const produced = await this.#sendBatch(batch);
      if (produced !== 'acknowledged' && this.#waiting.length > 0) await this.#pause();
    } while (this.#isDue());
    this.#pumping = false;
    this.#lookSoon();
  }

  /**
   * A refused request may have one record to blame, or be too large where each of them is not: so its halves are sent again. What
   * is in the topic already comes there twice, and the first counts. `isAgain`: of a request that was refused, and of which an
   * attempt before may have been taken: that no broker takes it now does not say that it is nowhere.
   */
  async #sendBatch(batch: readonly Sent[], isAgain = false): Promise<Produced> {
    const produced = await this.#options.send(batch.map((sent) => sent.message));
    if (isRefused(produced) && batch.length > 1) {
      const half = batch.length >> 1;
      const first = await this.#sendBatch(batch.slice(0, half), true);
      const second = await this.#sendBatch(batch.slice(half), true);
      return first === 'acknowledged' ? second : first;
    }
    const isUnsent = produced === 'not-sent' || isNotLet(produced);
    const became = isAgain && isUnsent ? 'in-doubt' : produced;
    for (const sent of batch) this.#afterSending(sent, became);
    return became;
  }

  /** The first of those that wait, as far as one request holds them. */
  #takeBatch(): Sent[] {
    const bytesOf = new Map<number, number>();
    let count = 0;
    for (const { partition, bytes } of this.#waiting) {
      const sum = (bytesOf.get(partition) ?? 0) + bytes;
      const isFull = sum > kafkaLimits.batchBytesMax || count >= kafkaLimits.batchRecordsMax;
      if (isFull && count > 0) break;
      bytesOf.set(partition, sum);
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  #afterSending(sent: Sent, produced: Produced): void {
    if (!this.#underWay.has(sent.number)) return;
    if (produced === 'acknowledged') {
      sent.acknowledged = true;
      this.#answerIfKnown(sent);
    } else if (sent.settles) {
      // A void in doubt needs no settling: another one is sent, until there is no more time.
      this.#end(sent, { kind: 'seen' });
      this.#settle(sent.settles);
    } else if (isNotLet(produced)) {
      this.#end(sent, denied(produced.reason));
    } else if (sent.isBarrier || produced === 'not-sent') {
      this.#end(sent, unreachable('no Kafka broker takes it: nothing was stored'));
    } else {
      // Also what was refused: an attempt of kafkajs before the one that was answered may have been taken.
      if (isRefused(produced)) sent.refused = produced;
      sent.deadline = this.#timers.nowMs() + kafkaLimits.settleMsMax;
      this.#settle(sent);
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.after(kafkaLimits.retryPauseMs, resolve);
    });
  }

  #settle(sent: Sent): void {
    if (!this.#underWay.has(sent.number)) return;
    const { partition } = sent;
    const settling: Sent = {
      ...this.#options.voidOf(sent),
      ...{ partition, settles: sent, isBarrier: false, acknowledged: false, read: undefined },
      refused: undefined,
      deadline: Number.POSITIVE_INFINITY,
      answer: () => undefined,
    };
    this.#add(settling);
    this.#waiting.unshift(settling);
  }

  #answerIfKnown(sent: Sent): void {
    const { read, settles } = sent;
    if (!sent.acknowledged || !read) return;
    if (settles) {
      this.#end(sent, { kind: 'seen' });
      if (!this.#underWay.has(settles.number)) return;
      // The void is replicated, and with it all before it in its partition: so is the append, if it was there.
      settles.acknowledged = true;
      settles.read ??= { kind: 'void' };
      this.#answerIfKnown(settles);
    } else if (read.kind === 'void') {
      this.#end(sent, neverStored(sent.refused));
    } else this.#end(sent, read);
  }

  #end(sent: Sent, answer: Answer): void {
    if (!this.#underWay.delete(sent.number)) return;
    this.#bytes -= sent.bytes;
    // Who has won is told after those who lost to it, so that they are before it when all come again: else the same
    // one would be first each time, and the others would starve.
    if (answer.kind === 'stored') queueMicrotask(() => sent.answer(answer));
    else sent.answer(answer);
    if (this.#waiting.length > 0) this.#lookSoon();
    if (this.#underWay.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#idle.resolve();
  }

  #lookAtDeadlines(): void {
    this.#timer = undefined;
    const now = this.#timers.nowMs();
    for (const sent of this.#underWay.values()) {
      if (sent.deadline > now) continue;
      const refusal = sent.refused ? `. It refused it: ${sent.refused.reason}` : '';
      const detail = `Kafka has not said in time whether it is stored${refusal}`;
      const waiting = this.#waiting.indexOf(sent);
      if (waiting >= 0) {
        this.#waiting.splice(waiting, 1);
        this.#end(
          sent,
          unreachable('Kafka takes nothing: it has waited too long, and was not stored'),
        );
      } else this.#end(sent, { kind: 'unknown', detail });
    }
    if (this.#underWay.size > 0) {
      this.#timer ??= this.#timers.after(deadlineLookMs, () => this.#lookAtDeadlines());
    }
  }
}

const deadlineLookMs = 250;

function unreachable(detail: string): Answer {
  return { kind: 'refused', reason: 'unreachable', detail };
}

function denied(reason: string): Extract<Answer, { kind: 'denied' }> {
  return { kind: 'denied', detail: `Kafka refuses it: ${reason}. Nothing was stored` };
}

/** The answer to an append whose void came first. */
function neverStored(by: RefusedRequest | undefined): Answer {
  if (!by) return unreachable('Kafka did not take it in time: nothing was stored');
  const answer = denied(by.reason);
  if (!by.isTooLarge) return answer;
  return { kind: 'refused', reason: 'append-too-large', detail: answer.detail };
}
