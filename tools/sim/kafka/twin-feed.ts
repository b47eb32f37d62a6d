import type { Feed, FeedOptions } from '@annals/event-log-kafka/engine';
import type { World } from './world.ts';

const fetchRecordsMax = 20;
const fetchMsMax = 6;
const slowMsMax = 3_000;

/**
 * Reads the topic as kafkajs would: in batches, sometimes slowly, sometimes twice or from an earlier place,
 * and from a place of its own choice when it begins anew, until it is asked to seek.
 */
export class TwinFeed implements Feed {
  readonly #world: World;
  readonly #options: FeedOptions;
  readonly #cursors = new Map<number, number>();
  #elections = -1;
  #stopped = false;

  constructor(world: World, options: FeedOptions) {
    this.#world = world;
    this.#options = options;
  }

  start(): void {
    void this.#run();
  }

  seek(partition: number, offset: number): void {
    this.#cursors.set(partition, offset);
  }

  stop(): void {
    this.#stopped = true;
    this.#world.topic.wakeAll();
  }

  async #run(): Promise<void> {
    const { random, clock, topic } = this.#world;
    while (!this.#stopped) {
      const slow = random.chance(this.#world.weather.feed);
      await clock.sleep(random.int(1, slow ? slowMsMax : fetchMsMax));
      if (this.#stopped) return;
      if (this.#elections !== topic.elections || random.chance(this.#world.weather.feed)) {
        this.#begin();
      }
      const changed = topic.changed();
      let brought = false;
      for (const partition of this.#options.partitions) {
        if (!this.#stopped && this.#fetch(partition)) brought = true;
      }
      if (!brought && !this.#stopped) await changed;
    }
  }

  #begin(): void {
    const { random, topic, weather } = this.#world;
    this.#elections = topic.elections;
    this.#options.onBegin(undefined);
    for (const partition of this.#options.partitions) {
      const end = topic.end(partition);
      const lost = end > 0 && random.chance(weather.feed);
      this.#cursors.set(partition, lost ? random.int(0, end - 1) : this.#options.from(partition));
    }
  }

  /** Hands over one batch; whether there was something. */
  #fetch(partition: number): boolean {
    const { random, topic, weather } = this.#world;
    const end = topic.end(partition);
    let from = this.#cursors.get(partition) ?? 0;
    if (from === end) {
      // Less is there than was: that is told although nothing new comes.
      const isShort = end < this.#options.endMin(partition);
      if (isShort) this.#options.onBatch({ partition, end, records: [], from, next: from });
      return false;
    }
    // Behind the end it begins at the beginning, without a word.
    if (from > end) from = 0;
    const again = random.chance(weather.feed) ? random.int(0, Math.min(from, 5)) : 0;
    const count = random.int(1, fetchRecordsMax);
    const records = topic.fetch(partition, from - again, count);
    const next = Math.min(end, from - again + count);
    // Who needs it again asks for it while it is handed over.
    this.#cursors.set(partition, next);
    this.#options.onBatch({ partition, end, records, from: from - again, next });
    return true;
  }
}
