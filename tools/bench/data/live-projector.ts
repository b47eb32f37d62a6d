import { systemClock } from '@annals/core';
import { type Checkpoint, coversAll, memoryEventLog, type StoredEvent } from '@annals/event-log';
import { categories, leaderboardProjection } from '@annals/leaderboard';
import {
  type GenerationStore,
  generationDirectory,
  type ProjectionStore,
  runProjector,
} from '@annals/projection';
import { appendScores, type FedScore, noPersonalData, ScoreFeed } from './score-feed.ts';

/** A projector that follows a log in memory into a store, of which it is the only one. */
export class LiveProjector {
  readonly #log = memoryEventLog({ clock: systemClock });
  readonly #feed: ScoreFeed;
  readonly #store: ProjectionStore;
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();
  #generation: GenerationStore | undefined;
  #checkpoint: Checkpoint = {};

  private constructor(store: ProjectionStore, players: number) {
    this.#feed = new ScoreFeed({ players });
    this.#store = store;
  }

  static async start(store: ProjectionStore, players: number): Promise<LiveProjector> {
    const projector = new LiveProjector(store, players);
    await projector.#start();
    return projector;
  }

  get generation(): GenerationStore {
    if (!this.#generation) throw new Error('the projector has not started');
    return this.#generation;
  }

  async #start(): Promise<void> {
    const { signal } = this.#stop;
    const clock = systemClock;
    const directory = generationDirectory(this.#log, { signal, clock });
    this.#done = runProjector({
      ...{ log: this.#log, cipher: noPersonalData, directory, clock, signal, holder: 'bench' },
      projections: [leaderboardProjection],
      storeFor: () => this.#store,
    }).done;
    await directory.ready();
    for (;;) {
      const live = directory.live(leaderboardProjection.name);
      const opened = live && (await this.#store.open(live.generation));
      if (opened && opened !== 'lost') {
        this.#generation = opened;
        return;
      }
      await clock.sleep(20);
    }
  }

  /** The next scores, encoded, not yet in the log. */
  take(events: number): Promise<readonly FedScore[]> {
    return this.#feed.take(events);
  }

  /** Appends these scores, and waits until all of them can be read. */
  async project(scores: readonly FedScore[]): Promise<void> {
    await appendScores(this.#log, scores);
    const head = await this.#log.head();
    while (!coversAll(await this.generation.checkpoint(), head)) await systemClock.sleep(5);
  }

  /** The scores that came since this was asked last, as they are stored. */
  async stored(): Promise<readonly StoredEvent[]> {
    const stored: StoredEvent[] = [];
    for (;;) {
      const page = await this.#log.read(this.#checkpoint, { categories }, { limit: 10_000 });
      for (const event of page.events) if (event.type === 'score-recorded') stored.push(event);
      this.#checkpoint = page.checkpoint;
      if (page.end) return stored;
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#generation?.close();
    await this.#store.close();
    await this.#log.close();
  }
}
