import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import type { Feed, FeedOptions } from './follower-thread.ts';
import { kafkaLimits } from './kafka-limits.ts';
import { Brokers, type WireBroker } from './wire/brokers.ts';
import { type FetchedPartition, fetchFrom, outOfRange } from './wire/fetch.ts';
import { nextOffsetOf, recordsOf } from './wire/record-batches.ts';
import { topicIdOf } from './wire/topic-id.ts';

export interface TopicFeedOptions extends FeedOptions {
  readonly client: Kafka;
  readonly topic: string;
}

/** From here on the topic is followed anew; what is still on its way counts no more. */
interface Round {
  readonly brokers: Brokers;
  readonly topicId: string | undefined;
  over: boolean;
}

/** What was fetched of a partition, from where, and the offset behind it. `end`: where the partition ends. */
interface Brought {
  readonly fetched: FetchedPartition;
  readonly from: number;
  readonly next: number;
  readonly end: number;
}

/**
 * The records of some partitions, for as long as it takes: whatever breaks is begun anew. It asks the
 * leaders itself, since kafkajs reads by groups of consumers only; and it asks for the next records
 * before it hands over those that came, so that the broker and the follower work at the same time.
 */
export class TopicFeed implements Feed {
  readonly #options: TopicFeedOptions;
  /** The offset that each partition is asked for next. */
  readonly #next = new Map<number, number>();
  #round: Round | undefined;
  #stopped = false;

  constructor(options: TopicFeedOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#run();
  }

  seek(partition: number, offset: number): void {
    this.#next.set(partition, offset);
  }

  /** Nothing is handed over from here on. Connections end by themselves or with the thread. */
  stop(): void {
    this.#stopped = true;
    void this.#round?.brokers.close();
  }

  async #run(): Promise<void> {
    const { client, topic } = this.#options;
    while (!this.#stopped) {
      const brokers = new Brokers(client, topic);
      try {
        await this.#follow(brokers);
      } catch (error) {
        const { message } = error as Error;
        if (this.#stopped) return;
        this.#options.onReport({ level: 'warn', message: `following: ${message}`, fields: {} });
      } finally {
        void brokers.close();
      }
      await sleep(kafkaLimits.retryPauseMs);
    }
  }

  /** Ends by throwing, unless it is stopped. */
  async #follow(brokers: Brokers): Promise<void> {
    const { topic, partitions } = this.#options;
    const leaders = await brokers.leaders(partitions);
    const [first] = leaders;
    if (!first) return;
    const topicId = await topicIdOf(first.broker, topic);
    if (this.#stopped) return;
    this.#options.onBegin(topicId);
    for (const partition of partitions) this.seek(partition, this.#options.from(partition));
    const round: Round = { brokers, topicId, over: false };
    this.#round = round;
    try {
      await Promise.all(
        leaders.map((leader) => this.#followLeader(round, leader.broker, leader.partitions)),
      );
    } finally {
      round.over = true;
    }
  }

  async #followLeader(
    round: Round,
    broker: WireBroker,
    partitions: readonly number[],
  ): Promise<void> {
    const ask = () => {
      const places = partitions.map((partition) => ({
        partition,
        offset: this.#next.get(partition) ?? 0,
      }));
      const fetching = fetchFrom(broker, {
        ...{ topic: this.#options.topic, topicId: round.topicId, partitions: places },
        waitMsMax: kafkaLimits.fetchWaitMsMax,
        partitionBytesMax: kafkaLimits.fetchBytesMax,
        bytesMax: kafkaLimits.fetchBytesMax * partitions.length,
      });
      // It may fail while nobody waits for it yet.
      fetching.catch(() => undefined);
      return { fetching, places };
    };
    for (let asked = ask(); ; ) {
      const fetched = await asked.fetching;
      if (this.#stopped || round.over) return;
      const offsets = new Map(asked.places.map(({ partition, offset }) => [partition, offset]));
      // Whoever was sent elsewhere meanwhile has no use for what was asked before.
      const wanted = fetched.filter(
        ({ partition }) => this.#next.get(partition) === offsets.get(partition),
      );
      const brought: Brought[] = [];
      for (const one of wanted) {
        const from = offsets.get(one.partition) ?? 0;
        const some = await this.#advance(broker, one, from);
        if (some) brought.push(some);
      }
      asked = ask();
      for (const one of brought) {
        await this.#handOver(one);
        if (this.#stopped || round.over) return;
      }
    }
  }

  /** Goes behind what was fetched of a partition; undefined where nothing is to be handed over. */
  async #advance(
    broker: WireBroker,
    fetched: FetchedPartition,
    from: number,
  ): Promise<Brought | undefined> {
    const { partition, error } = fetched;
    const range = () => broker.range(this.#options.topic, partition);
    if (error === outOfRange) {
      const { low, end } = await range();
      if (!this.#stopped) this.#options.onOutOfRange(partition, low, end);
      return undefined;
    }
    if (error !== 0) throw new Error(`partition ${partition}: Kafka answers with error ${error}`);
    const next = nextOffsetOf(fetched);
    if (next !== undefined) this.#next.set(partition, next);
    const endMin = this.#options.endMin(partition);
    // A leader that was just elected does not know yet how far its replicas are. What it says when it is asked
    // for the end it says once it knows (KIP-207).
    const end = fetched.end < endMin ? (await range()).end : fetched.end;
    if (next !== undefined) return { fetched, from, next, end };
    // Where less is there than was, nothing new may ever come.
    return end < endMin ? { fetched, from, next: from, end } : undefined;
  }

  async #handOver({ fetched, from, next, end }: Brought): Promise<void> {
    const { partition } = fetched;
    const records = recordsOf(fetched, from);
    this.#options.onBatch({ partition, end, records, from, next });
    // Whoever asks this thread for something does not wait until all of a long answer was judged.
    if (records.length > longBatch) await nextTurn();
  }
}

const longBatch = 500;
