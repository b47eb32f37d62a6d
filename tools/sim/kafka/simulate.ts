import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Expected, hashLog, limits, type NewEvent, type StoredEvent } from '@annals/event-log';
import { readRecord, type TopicRecord } from '@annals/event-log-kafka/engine';
import { formatsWithSecond } from '@annals/event-log-kafka/testing';
import { VirtualClock } from '@annals/projection/testing';
import { type Outcome, outcomeOf } from '../outcome.ts';
import { Random } from '../random.ts';
import { InvariantError, Trace } from '../trace.ts';
import { Callers } from './callers.ts';
import { type Beginning, Fleet } from './fleet.ts';
import type { SimProcess } from './sim-process.ts';
import { TopicTwin } from './topic-twin.ts';
import { fair, type Weather, type World } from './world.ts';

const traceLinesKept = 120;
const stepsMin = 30;
const stepsMax = 80;
/** What was sent before the last fault may come this late; then everything must come to rest. */
const settleMsMax = 4 * 60_000;
const settleStepMs = 2_000;
const streams = ['order-1', 'order-2', 'order-3', 'order-4', 'cart-1'] as const;

/** A file system in memory, where there is one: replicas are made by the thousand, and disks are slow to sync. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Plays one seed on a topic in memory: appends, reads and faults, then fair weather, then every promise is checked. */
export async function simulateKafka(seed: number): Promise<Outcome> {
  const trace = new Trace(traceLinesKept);
  const folder = mkdtempSync(join(scratch, 'annals-sim-kafka-'));
  try {
    return await outcomeOf(seed, trace, new Simulation(seed, trace, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Simulation {
  readonly #world: World;
  readonly #random: Random;
  readonly #callers: Callers;
  readonly #fleet: Fleet;
  readonly #hashes = new Map<string, string>();
  /** Whether processes start with a program that knows one record format alone. */
  readonly #upgrades: boolean;
  readonly #losesRecords: boolean;
  readonly #linearizable: boolean;
  #secondIsWritten = false;
  events = 0;

  constructor(seed: number, trace: Trace, folder: string) {
    const random = new Random(seed);
    this.#random = random;
    const clock = new VirtualClock(Date.UTC(2026, 10, 25, 12));
    const topic = new TopicTwin(random.int(1, 3));
    this.#world = { random, clock, trace, topic, folder, weather: fair };
    this.#upgrades = random.chance(50);
    this.#losesRecords = random.chance(20);
    this.#linearizable = random.chance(50);
    this.#callers = new Callers(this.#world);
    this.#fleet = new Fleet(this.#world, () => ({
      linearizableReads: this.#linearizable,
      queueAppendsMax: random.pick([4, 100]),
      skewMs: random.chance(30) ? random.int(-60_000, 60_000) : 0,
    }));
  }

  async run(): Promise<void> {
    const { clock, trace } = this.#world;
    const knowsSecond = !this.#upgrades;
    for (let count = this.#random.int(2, 4); count > 0; count -= 1) {
      const writtenFormat = knowsSecond && this.#random.chance(40) ? 2 : 1;
      this.#secondIsWritten ||= writtenFormat === 2;
      this.#fleet.add({ knowsSecond, writtenFormat });
    }
    await clock.advance(200);
    this.#world.weather = this.#drawWeather();
    const steps = this.#random.int(stepsMin, stepsMax);
    for (let step = 0; step < steps; step += 1) {
      const [name, act] = this.#drawStep();
      trace.say(`${step} ${name}`);
      await act();
      const pauses: [number, number][] = [
        [8, 0],
        [8, 5],
        [5, 40],
        [1, 12_000],
      ];
      await clock.advance(this.#random.weighted(pauses));
      this.#checkStep();
    }
    await this.#settle();
    await this.#checkEnd();
  }

  async end(): Promise<void> {
    for (const process of this.#fleet.all) {
      process.kill();
      await process.gone();
    }
  }

  #drawWeather(): Weather {
    const some = (most: number) => (this.#random.chance(60) ? this.#random.int(0, most) : 0);
    return {
      produce: some(50),
      away: some(15),
      feed: some(20),
      crash: some(8),
      disk: this.#random.chance(30) ? some(40) : 0,
    };
  }

  #drawStep(): readonly [string, () => void | Promise<void>] {
    return this.#random.weighted<readonly [string, () => void | Promise<void>]>([
      [34, ['append', () => this.#append()]],
      [8, ['append much', () => this.#appendMuch()]],
      [14, ['again', () => this.#again()]],
      [14, ['read', () => this.#read()]],
      [6, ['die', () => this.#die()]],
      [4, ['foreign', () => this.#foreign()]],
      [2, ['transaction', () => this.#transaction()]],
      [this.#upgrades ? 6 : 0, ['upgrade', () => this.#upgrade()]],
      [this.#losesRecords ? 2 : 0, ['lose records', () => this.#loseRecords()]],
      [3, ['restart the stopped', () => this.#restartStopped()]],
      [3, ['jump', () => this.#world.clock.jump(this.#random.int(-90_000, 90_000))]],
      [4, ['weather', () => this.#turnWeather()]],
    ]);
  }

  #turnWeather(): void {
    this.#world.weather = this.#drawWeather();
  }

  #someone(): SimProcess | undefined {
    const { open } = this.#fleet;
    return open.length === 0 ? undefined : this.#random.pick(open);
  }

  #append(): void {
    const process = this.#someone();
    if (!process) return;
    const stream = this.#random.pick(streams);
    const events = Array.from({ length: this.#random.pick([1, 1, 1, 2, 3]) }, () =>
      this.#callers.newEvent(),
    );
    this.#callers.append(process, { stream, events, expected: this.#drawExpected(stream) });
  }

  /** Several at once, so that they meet. */
  #appendMuch(): void {
    for (let count = this.#random.int(3, 8); count > 0; count -= 1) this.#append();
  }

  #drawExpected(stream: string): Expected {
    const { topic } = this.#world;
    const head = topic.naive(topic.homeOf(stream)).eventsOf(stream).length - 1;
    const current = head < 0 ? 'no-stream' : head;
    return this.#random.weighted<Expected>([
      [4, 'any'],
      [4, current],
      [1, head + 1],
      [1, Math.max(0, head - 1)],
      [1, 'no-stream'],
      [1, 'exists'],
    ]);
  }

  /** The same append again, mostly by another process; or one that only looks like it. */
  #again(): void {
    const process = this.#someone();
    const call = this.#callers.anyCall();
    if (!process || !call) return;
    const { stream, events, expected } = call;
    const changed = (event: NewEvent): NewEvent => ({
      ...event,
      contentHash: event.contentHash.split('').reverse().join(''),
    });
    const [first] = events;
    const again = this.#random.weighted<readonly NewEvent[]>([
      [10, events],
      [1, events.map(changed)],
      [1, [...events, this.#callers.newEvent()]],
      [1, events.length > 1 && first ? [first] : events.toReversed()],
    ]);
    const expects = this.#random.chance(70) ? expected : this.#drawExpected(stream);
    this.#callers.append(process, { stream, events: again, expected: expects });
  }

  #read(): void {
    const process = this.#someone();
    if (process) this.#callers.read(process, this.#random.pick(streams));
  }

  async #die(): Promise<void> {
    const process = this.#random.pick(this.#fleet.all);
    await this.#fleet.restart(process, this.#drawBeginning());
  }

  #drawBeginning(): Beginning {
    return this.#random.weighted<Beginning>([
      [6, 'kept'],
      [2, 'empty'],
      [1, 'snapshot'],
    ]);
  }

  /** What somebody else has put into the topic, and what a bad disk has made of a record of ours. */
  #foreign(): void {
    const { topic, trace } = this.#world;
    const partition = this.#random.int(0, topic.partitions - 1);
    const random = Buffer.from(this.#random.bytes(this.#random.int(0, 90)));
    const end = topic.end(partition);
    const [some] = end === 0 ? [] : topic.fetch(partition, this.#random.int(0, end - 1), 1);
    const ours = some?.value;
    const cut = ours ? ours.subarray(0, this.#random.int(0, ours.length - 1)) : random;
    const kind = this.#random.pick(['random', 'tombstone', 'cut', 'elsewhere']);
    trace.say(`  ${kind} in partition ${partition}`);
    const key = Buffer.from('order-1');
    if (kind === 'random') topic.append(partition, [{ key, value: notOurs(random) }]);
    if (kind === 'tombstone') topic.append(partition, [{ key, value: null }]);
    if (kind === 'cut') topic.append(partition, [{ key, value: notNewer(cut) }]);
    // An append of ours that somebody has copied to a partition where its stream does not live.
    if (kind === 'elsewhere' && some && isAppend(some)) {
      const other = (partition + 1) % topic.partitions;
      if (other !== partition) topic.append(other, [{ key: some.key, value: some.value }]);
    }
  }

  /** Somebody else's, with records and without any: whether it was taken back makes no difference to us. */
  #transaction(): void {
    const { topic, trace } = this.#world;
    const partition = this.#random.int(0, topic.partitions - 1);
    const messages = Array.from({ length: this.#random.int(0, 3) }, () => ({
      key: Buffer.from(this.#random.pick(streams)),
      value: notOurs(Buffer.from(this.#random.bytes(this.#random.int(0, 30)))),
    }));
    trace.say(`  ${messages.length} records in partition ${partition}`);
    topic.transact(partition, messages);
  }

  /** One more process gets the newer program; once all have it, or one was forgotten, the second format is written. */
  async #upgrade(): Promise<void> {
    const old = this.#fleet.all.filter(({ settings }) => !settings.knowsSecond);
    const [first] = old;
    const forgets = old.length === 1 && this.#random.chance(20);
    if (first && !forgets) {
      await this.#fleet.restart(first, 'kept', { knowsSecond: true, writtenFormat: 1 });
      return;
    }
    const still = this.#fleet.all.filter(
      ({ settings }) => settings.knowsSecond && settings.writtenFormat === 1,
    );
    if (still.length === 0) return;
    this.#secondIsWritten = true;
    const process = this.#random.pick(still);
    await this.#fleet.restart(process, 'kept', { knowsSecond: true, writtenFormat: 2 });
  }

  /** A leader is elected that lacks the last records: what was acknowledged is gone. */
  #loseRecords(): void {
    const { topic, trace } = this.#world;
    const partition = this.#random.int(0, topic.partitions - 1);
    const end = topic.end(partition);
    if (end < 3) return;
    const left = this.#random.int(Math.max(1, end - 10), end - 1);
    trace.say(`  partition ${partition} loses ${left} to ${end}`);
    this.#fleet.losing(partition, left);
    topic.truncate(partition, left);
  }

  /** What an operator does: a replica that holds what the topic has lost is removed; an old program is replaced. */
  async #restartStopped(): Promise<boolean> {
    let some = false;
    for (const process of this.#fleet.all) {
      if (this.#fleet.isBeyondRepair(process)) continue;
      if (!process.stopped && !process.isDead) continue;
      some = true;
      const knowsSecond = process.settings.knowsSecond || process.stopProblem === 'newer-record';
      const { writtenFormat } = process.settings;
      const beginning = this.#fleet.isTainted(process) ? 'empty' : 'kept';
      await this.#fleet.restart(process, beginning, { knowsSecond, writtenFormat });
    }
    return some;
  }

  #checkStep(): void {
    this.#callers.check();
    this.#fleet.checkStops();
    this.#fleet.checkHashes(this.#hashes);
  }

  /** Fair weather: what is late comes, what was doubtful is asked for again, and all is followed. */
  async #settle(): Promise<void> {
    const { clock, topic } = this.#world;
    this.#world.weather = fair;
    await clock.advance(this.#random.int(0, 5_000));
    // A topic that has become shorter must be noticed although nobody writes to it.
    let quiet = this.#losesRecords && this.#random.chance(50);
    if (quiet) this.#loseRecords();
    else this.#fair();
    for (let waited = 0; waited < settleMsMax; waited += settleStepMs) {
      await clock.advance(settleStepMs);
      this.#checkStep();
      // Whoever has read what the topic lost must have said so by then.
      if (waited < settleStepMs * 3) continue;
      const silent = this.#fleet.open.find((process) => this.#fleet.servesWhatIsLost(process));
      if (silent) throw new InvariantError('truncated', `${silent.name} serves what is lost`);
      if (quiet) this.#fair();
      quiet = false;
      if (await this.#restartStopped()) continue;
      if (this.#callers.underWay > 0) continue;
      const [doubtful] = this.#callers.doubtful;
      const [process] = this.#fleet.open;
      if (doubtful && process) this.#callers.append(process, doubtful);
      else if (this.#haveFollowed()) {
        // What was given up may still come.
        if (waited < settleMsMax / 2) await clock.advance(settleMsMax / 2 - waited);
        waited = Math.max(waited, settleMsMax / 2);
        if (this.#haveFollowed() && this.#callers.underWay === 0) return;
      }
    }
    const waiting = this.#fleet.all.map(({ name, log, stopProblem }) =>
      log ? `${name} ${JSON.stringify(log.status())}` : `${name} ${stopProblem}`,
    );
    const ends = Array.from({ length: topic.partitions }, (_, at) => topic.end(at));
    throw new InvariantError(
      'settles',
      `${this.#callers.underWay} wait, ends ${ends.join()}: ${waiting.join('; ')}`,
    );
  }

  /** Traffic in every partition. */
  #fair(): void {
    for (const stream of streams) {
      for (const process of this.#fleet.open) {
        this.#callers.append(process, {
          stream,
          events: [this.#callers.newEvent()],
          expected: 'any',
        });
      }
    }
  }

  /** Whether all processes serve, and have read everything. */
  #haveFollowed(): boolean {
    const { topic } = this.#world;
    return this.#fleet.all.every((process) => {
      if (this.#fleet.isBeyondRepair(process)) return true;
      const status = process.log?.status();
      return status?.every(({ partition, offset }) => offset === topic.last(partition));
    });
  }

  async #checkEnd(): Promise<void> {
    const { clock, topic, trace } = this.#world;
    const rebuilt = this.#fleet.add({ knowsSecond: true, writtenFormat: 1 });
    await clock.advance(2_000);
    this.#checkStep();
    if (!this.#haveFollowed()) {
      throw new InvariantError('settles', 'a new process did not read the topic in time');
    }
    let first: string | undefined;
    for (const { name, log } of this.#fleet.open) {
      if (!log) continue;
      const digest = (await clock.until(hashLog(log))).digest();
      first ??= digest;
      if (digest !== first) throw new InvariantError('hash', `${name} has another log hash`);
    }
    await this.#checkRows(rebuilt);
    this.#callers.checkGroups();
    for (const process of this.#fleet.all) await clock.until(process.close());
    const ends = Array.from({ length: topic.partitions }, (_, at) => topic.end(at));
    trace.say(`end ${ends.join()} ${first}`);
  }

  /** The events of a replica are those of the naive model, with all that belongs to them. */
  async #checkRows({ log }: SimProcess): Promise<void> {
    const { clock, topic } = this.#world;
    // What no process can follow any more, none serves.
    if (!log) return;
    const rows: StoredEvent[] = [];
    for (let from = {}, more = true; more; ) {
      const page = await clock.until(log.read(from, {}, { limit: limits.pageEventsMax }));
      rows.push(...page.events);
      from = page.checkpoint;
      more = !page.end;
    }
    this.events = rows.length;
    const shown = rows.map(({ stream, partition, id, revision, position, recordedAt, data }) =>
      JSON.stringify([stream, partition, id, revision, position, recordedAt, data]),
    );
    const truth: string[] = [];
    for (let partition = 0; partition < topic.partitions; partition += 1) {
      for (const [stream, events] of topic.naive(partition).streams) {
        for (const { id, revision, position, recordedAt, data } of events) {
          const row = [stream, partition, id, revision, position, recordedAt, data];
          truth.push(JSON.stringify(row));
        }
      }
    }
    const [extra] = shown.filter((row) => !truth.includes(row));
    const [missing] = truth.filter((row) => !shown.includes(row));
    if (extra ?? missing) {
      throw new InvariantError(
        'rows',
        `too much: ${extra ?? 'none'}; missing: ${missing ?? 'none'}`,
      );
    }
    if (shown.length !== truth.length) throw new InvariantError('rows', 'an event is there twice');
  }
}

/** A void or a barrier has no stream: copied elsewhere it says what its writer read in another partition, and stops all. */
function isAppend({ key, value }: TopicRecord): boolean {
  const read = readRecord(formatsWithSecond, value, key);
  return read.kind === 'record' && read.record.kind === 'append';
}

/** Random bytes that nobody could take for a record of a newer program. */
function notOurs(bytes: Buffer): Buffer {
  if (bytes.length > 0) bytes[0] = 0;
  return bytes;
}

/** A record that was cut short: its head still says which format it had, which an old program does not know. */
function notNewer(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 2 && (copy[2] as number) > 1) copy[2] = 1;
  return copy;
}
