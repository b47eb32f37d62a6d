import { EventLogError } from '@annals/event-log';
import { FollowError, type FollowProblem, type KafkaEventLog } from '@annals/event-log-kafka';
import {
  type FollowerEars,
  type FollowerFailure,
  type FollowerTask,
  FollowerThread,
  type KafkaEngine,
  kafkaEventLogOn,
  recordFormats,
  type Timers,
} from '@annals/event-log-kafka/engine';
import { formatsWithSecond } from '@annals/event-log-kafka/testing';
import { openReplica, type Replica } from '@annals/event-log-sqlite/replica';
import { TwinFeed } from './twin-feed.ts';
import { TwinLine } from './twin-line.ts';
import type { World } from './world.ts';

/** Between the threads of a process. */
const messageMsMax = 2;

export interface ProcessSettings {
  readonly name: string;
  readonly folder: string;
  /** Whether its program knows the second record format. */
  readonly knowsSecond: boolean;
  readonly writtenFormat: 1 | 2;
  readonly linearizableReads: boolean;
  readonly queueAppendsMax: number;
  /** What its clock is ahead of others, in milliseconds. */
  readonly skewMs: number;
}

/** How far the replica of one partition came: what is told, and what a crash leaves. */
export interface Followed {
  readonly judged: Map<number, number>;
  readonly committed: Map<number, number>;
}

/**
 * One process: the log's real code, both of its threads, over the twin of the topic and on virtual time. It
 * can die between any two of its steps, and within a transaction of its replica.
 */
export class SimProcess {
  readonly settings: ProcessSettings;
  readonly followed: Followed = { judged: new Map(), committed: new Map() };
  readonly #world: World;
  #log: KafkaEventLog | undefined;
  #thread: FollowerThread | undefined;
  #ears: FollowerEars | undefined;
  #opening: Promise<void> = Promise.resolve();
  #dead = false;
  /** Whether its replica may hold what the topic has lost: it serves that until it notices. */
  mayHoldLost = false;
  /** Why the log has stopped, or was not opened. */
  stopped: Error | undefined;

  constructor(world: World, settings: ProcessSettings) {
    this.settings = settings;
    this.#world = world;
  }

  get name(): string {
    return this.settings.name;
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** The open log; undefined while it opens, and when it has stopped. */
  get log(): KafkaEventLog | undefined {
    return this.#dead || this.stopped ? undefined : this.#log;
  }

  /** `disk-full` only while it is opened: later that passes by itself. */
  get stopProblem(): FollowProblem | 'disk-full' | 'none' | 'other' {
    if (!this.stopped) return 'none';
    if (this.stopped instanceof FollowError) return this.stopped.problem;
    return isFullDisk(this.stopped) ? 'disk-full' : 'other';
  }

  start(): void {
    const { folder, writtenFormat, linearizableReads, queueAppendsMax, skewMs } = this.settings;
    const { clock, trace } = this.#world;
    this.#opening = kafkaEventLogOn(this.#engine(), {
      ...{ connection: { brokers: [] }, topic: 'twin', folder },
      ...{ writtenFormat, linearizableReads, queueAppendsMax },
      clock: { now: () => clock.now() + skewMs },
    }).then(
      (log) => {
        this.#log = log;
        if (!this.#dead) trace.say(`${this.name} is open`);
      },
      (error: Error) => this.#stop(error),
    );
  }

  /** As kill -9: nothing is committed, answered or sent any more. What was sent goes on. */
  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#world.trace.say(`${this.name} dies`);
    this.#thread?.end();
    this.#ears?.onExit();
  }

  /** Resolves when nothing of a dead process is left but its files. */
  async gone(): Promise<void> {
    await this.#opening;
    await this.#log?.close();
  }

  /** Ends in order. */
  async close(): Promise<void> {
    await this.#log?.close();
    this.#dead = true;
  }

  /** Its follower has ended. A full disk is no reason to stop. */
  #failed(error: Error): void {
    if (!isFullDisk(error)) this.#stop(error);
    else if (!this.#dead) this.#world.trace.say(`  the disk of ${this.name} is full`);
  }

  #stop(error: Error): void {
    if (this.#dead || this.stopped) return;
    this.stopped = error;
    this.#world.trace.say(`${this.name} stops: ${this.stopProblem}`);
  }

  #engine(): KafkaEngine {
    const { topic, random } = this.#world;
    const formats = this.settings.knowsSecond ? formatsWithSecond : recordFormats;
    return {
      openTopic: async () => ({
        name: 'cluster/twin',
        partitions: topic.partitions,
        offsets: Array.from({ length: topic.partitions }, (_, partition) => ({
          low: 0,
          end: topic.end(partition),
        })),
      }),
      produceLine: () => new TwinLine(this.#world),
      startFollower: (task, ears) => this.#startFollower(task, ears, formats),
      timers: this.#timers(),
      instance: () => Buffer.from(random.bytes(10)).toString('hex'),
      formats: async () => formats,
      recordReader: () => ({
        read: async (partition, offset) => topic.fetch(partition, offset, 1),
        close: async () => undefined,
      }),
    };
  }

  /** The follower's thread: what it says and is asked takes a moment to cross, and is copied. */
  #startFollower(
    task: FollowerTask,
    ears: FollowerEars,
    formats: typeof recordFormats,
  ): ReturnType<KafkaEngine['startFollower']> {
    this.#ears = ears;
    const toServing = this.#crossing();
    const toFollower = this.#crossing();
    const thread = new FollowerThread({
      ...{ task, formats },
      timers: this.#timers(),
      feed: (options) => new TwinFeed(this.#world, options),
      openReplica: (folder, partition) => {
        const { replica, found } = openReplica(folder, partition);
        return { replica: this.#mortal(replica), found };
      },
      say: (said) => {
        const message = structuredClone(said);
        if (message.kind === 'opened') this.#noteFollowed(message.followed, true);
        if (message.kind === 'judged') this.#noteFollowed(message.batches, message.committed);
        toServing(() => {
          if (message.kind === 'failed') this.#failed(errorOf(message.error));
          ears.onMessage(message);
          if (message.kind === 'closed') ears.onExit();
        });
      },
    });
    this.#thread = thread;
    toFollower(() => thread.start());
    return {
      ask: (request) => toFollower(() => thread.ask(request)),
      terminate: () => ears.onExit(),
    };
  }

  /** Throws what SQLite's files do when the disk is full. */
  #mayFill(): void {
    const { random, weather } = this.#world;
    if (weather.disk === 0 || !random.chance(weather.disk)) return;
    throw new EventLogError('disk-full', 'the disk is full');
  }

  #noteFollowed(
    batches: readonly { readonly partition: number; readonly progress: { nextOffset: number } }[],
    areCommitted: boolean,
  ): void {
    const { judged, committed } = this.followed;
    for (const { partition, progress } of batches) judged.set(partition, progress.nextOffset);
    if (areCommitted) for (const one of judged) committed.set(...one);
  }

  /** Runs what is given in order, each after a moment, while the process lives. */
  #crossing(): (run: () => void) => void {
    const { random, clock } = this.#world;
    let lastAt = 0;
    return (run) => {
      lastAt = Math.max(lastAt, clock.elapsedMs + random.int(0, messageMsMax));
      this.#timers().after(lastAt - clock.elapsedMs, run);
    };
  }

  #timers(): Timers {
    const { clock } = this.#world;
    const after = (ms: number, run: () => void) => {
      let cancelled = false;
      void clock.sleep(ms).then(() => {
        if (!cancelled && !this.#dead) run();
      });
      return {
        cancel: () => {
          cancelled = true;
        },
      };
    };
    return { nowMs: () => clock.elapsedMs, after, soon: (run) => void after(0, run) };
  }

  /** A replica within whose steps the process may die. */
  #mortal(replica: Replica): Replica {
    const mayDie = () => {
      const { random, weather } = this.#world;
      if (weather.crash === 0 || random.int(1, 1_000) > weather.crash) return;
      this.kill();
      throw new Error('the process is dead');
    };
    const steps: Replica = {
      transaction: (work) => replica.transaction(work),
      join: (work) => {
        mayDie();
        return replica.join(work);
      },
      settle: () => {
        mayDie();
        this.#mayFill();
        replica.settle();
      },
      append: (append, offset, judge) => {
        mayDie();
        return replica.append(append, offset, judge);
      },
      mark: (mark) => replica.mark(mark),
      marks: () => replica.marks(),
      isMarked: (key) => replica.isMarked(key),
      dropMarks: (before) => replica.dropMarks(before),
      dropBodies: (from, to) => replica.dropBodies(from, to),
      progress: () => replica.progress(),
      keepProgress: (state) => replica.keepProgress(state),
      close: () => replica.close(),
    };
    return steps;
  }
}

function errorOf({ code, problem, message }: FollowerFailure): Error {
  if (problem !== undefined) return new FollowError(problem, message);
  return code === undefined ? new Error(message) : new EventLogError(code, message);
}

/** The error that passes when there is room again. */
export function isFullDisk(error: unknown): boolean {
  return error instanceof EventLogError && error.code === 'disk-full';
}
