import { sha256 } from '@annals/core';
import {
  type AppendResult,
  EventLogError,
  type Expected,
  isPassing,
  type NewEvent,
  type StreamPage,
} from '@annals/event-log';
import { InvariantError } from '../trace.ts';
import { idsOf, type NaiveOutcome, type NaiveRecord } from './naive-partition.ts';
import { isFullDisk, type SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** An append as somebody asked for it, in one process; the same events may be asked for again elsewhere. */
export interface Call {
  readonly stream: string;
  readonly events: readonly NewEvent[];
  readonly expected: Expected;
  /** The end of the partition as it was asked. */
  readonly askedAt: number;
  /** How often records had been lost by then. */
  readonly elections: number;
  /** Undefined while it waits, and for ever when its process has died. */
  told: AppendResult | 'died' | undefined;
}

/** What one append came to in all its calls. */
interface Group {
  readonly calls: Call[];
}

/** Whoever uses the log, and remembers what was told: every answer is checked as it comes. */
export class Callers {
  readonly #world: World;
  readonly #groups = new Map<string, Group>();
  readonly #open = new Set<Call>();
  readonly #failures: InvariantError[] = [];
  /** For each process and partition: the records its answers and reads have shown. */
  readonly #shown = new WeakMap<SimProcess, Map<number, number>>();
  #reads = 0;
  #numbered = 0;
  stored = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get underWay(): number {
    return this.#open.size + this.#reads;
  }

  /** Throws the first promise that was broken by an answer. */
  check(): void {
    const [failure] = this.#failures;
    if (failure) throw failure;
  }

  newEvent(): NewEvent {
    const { random, clock } = this.#world;
    this.#numbered += 1;
    const hex = Buffer.from(random.bytes(16)).toString('hex');
    const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
    const data = JSON.stringify({ number: this.#numbered });
    return {
      ...{ id, type: 'happened', schemaVersion: 1, data },
      contentHash: sha256(data),
      occurredAt: clock.now(),
    };
  }

  /** Some call that was made before. */
  anyCall(): Call | undefined {
    const groups = [...this.#groups.values()];
    if (groups.length === 0) return undefined;
    return this.#world.random.pick(this.#world.random.pick(groups).calls);
  }

  /** Appends that nobody knows the fate of. */
  get doubtful(): Call[] {
    return [...this.#groups.values()].flatMap(({ calls }) => {
      const isKnown = calls.some(({ told }) => told !== undefined && !isOpen(told));
      const [first] = calls;
      return isKnown || !first || calls.some((call) => this.#open.has(call)) ? [] : [first];
    });
  }

  append(process: SimProcess, asked: Pick<Call, 'stream' | 'events' | 'expected'>): void {
    const { topic, trace } = this.#world;
    const { log } = process;
    if (!log) return;
    const partition = topic.homeOf(asked.stream);
    const call: Call = {
      ...asked,
      askedAt: topic.end(partition),
      elections: topic.elections,
      told: undefined,
    };
    const key = JSON.stringify([asked.stream, asked.events.map(keyOf)]);
    const group = this.#groups.get(key) ?? { calls: [] };
    this.#groups.set(key, group);
    group.calls.push(call);
    this.#open.add(call);
    trace.say(
      `${process.name} append ${call.stream} ${call.expected} ${call.events.map(({ data }) => data).join()}`,
    );
    log.append(call.stream, call.events, { expected: call.expected }).then(
      (result) => this.#answered(process, call, result),
      (error: unknown) => this.#ended(process, call, error),
    );
  }

  read(process: SimProcess, stream: string): void {
    const { topic, trace } = this.#world;
    const { log } = process;
    if (!log) return;
    const partition = topic.homeOf(stream);
    const shown = this.#shown.get(process)?.get(partition) ?? 0;
    const mustHave = process.settings.linearizableReads ? topic.end(partition) : shown;
    this.#reads += 1;
    log
      .readStream(stream)
      .then(
        (page) => {
          if (process.isDead || process.mayHoldLost) return;
          trace.say(`${process.name} read ${stream}: ${page.head}`);
          this.#guard(() => this.#checkPage(process, stream, page, mustHave));
        },
        (error: unknown) => trace.say(`${process.name} read ${stream} failed: ${String(error)}`),
      )
      .finally(() => {
        this.#reads -= 1;
      });
  }

  /** What no single answer can show: that an append is stored although everybody was told it is not. */
  checkGroups(): void {
    const { topic } = this.#world;
    const accepted = new Map<string, NaiveRecord>();
    for (let partition = 0; partition < topic.partitions; partition += 1) {
      for (const one of topic.naive(partition).appends) {
        if (one.outcome.kind !== 'stored' || one.outcome.duplicate) continue;
        const { stream, events } = one.record;
        accepted.set(JSON.stringify([stream, events.map(keyOf)]), one);
      }
    }
    for (const [key, { calls }] of this.#groups) {
      // What was lost with the records of before may come again, whatever was told of it.
      if (calls.some(({ elections }) => elections !== topic.elections)) continue;
      const one = accepted.get(key);
      const mayBe = calls.some(({ told }) => told === undefined || isOpen(told) || isStored(told));
      if (!one || mayBe) continue;
      const told = calls.map((call) => JSON.stringify(call.told)).join();
      throw new InvariantError('told', `${key} is stored at ${one.offset}, and was told ${told}`);
    }
  }

  #answered(process: SimProcess, call: Call, result: AppendResult): void {
    this.#open.delete(call);
    if (process.isDead) {
      call.told = 'died';
      return;
    }
    call.told = result;
    this.#world.trace.say(`${process.name} told ${call.stream} ${JSON.stringify(result)}`);
    this.#guard(() => this.#checkAnswer(process, call, result));
  }

  #ended(process: SimProcess, call: Call, error: unknown): void {
    this.#open.delete(call);
    if (!process.isDead && isDenied(error)) {
      // As much as any other refusal it says that nothing is stored.
      call.told = { kind: 'refused', reason: 'unreachable', detail: String(error) };
      return;
    }
    call.told = 'died';
    if (process.isDead || process.stopped || isFullDisk(error)) return;
    this.#guard(() => {
      throw new InvariantError('answers', `an append has thrown: ${String(error)}`);
    });
  }

  /** What is told must have been true of a record that came between the question and the answer. */
  #checkAnswer(process: SimProcess, call: Call, result: AppendResult): void {
    if (result.kind === 'unknown') return;
    // It may have been true of a record that is lost: whoever has read that stops.
    if (call.elections !== this.#world.topic.elections) return;
    if (result.kind === 'refused') {
      // Brokers here refuse a record for no reason, for its size too.
      if (isPassing(result.reason) || result.reason === 'append-too-large') return;
      throw new InvariantError('answers', `a good append was refused: ${result.detail}`);
    }
    const { topic } = this.#world;
    const partition = topic.homeOf(call.stream);
    const ids = idsOf({ events: call.events.map((event) => ({ ...event })) as never });
    const { appends } = topic.naive(partition);
    const its = appends.filter(
      ({ offset, record }) =>
        offset >= call.askedAt && record.stream === call.stream && idsOf(record) === ids,
    );
    const match = its.find(({ record, outcome }) => {
      if (record.expected !== call.expected) return false;
      return JSON.stringify(outcome) === JSON.stringify(asNaive(result));
    });
    if (!match) {
      const truth = its.map(({ offset, outcome }) => `${offset} ${JSON.stringify(outcome)}`);
      throw new InvariantError(
        'told',
        `${call.stream} ${call.expected} was told ${JSON.stringify(result)}; true is ${truth.join(', ') || 'nothing'}`,
      );
    }
    if (result.kind !== 'stored') return;
    if (result.partition !== partition) {
      throw new InvariantError('told', `partition ${result.partition}, and it is ${partition}`);
    }
    this.stored += 1;
    this.#show(process, partition, match.offset + 1);
  }

  #checkPage(process: SimProcess, stream: string, page: StreamPage, mustHave: number): void {
    const { topic } = this.#world;
    const partition = topic.homeOf(stream);
    const truth = topic.naive(partition).eventsOf(stream);
    const least = topic.naive(partition).countBefore(stream, mustHave);
    const { events, head } = page;
    const shown = events.length;
    if (head !== (shown === 0 ? 'no-stream' : shown - 1)) {
      throw new InvariantError('read', `${stream} has ${shown} events and the head ${head}`);
    }
    if (shown < least) {
      throw new InvariantError(
        'stale',
        `${stream} showed ${shown} events of ${least} it must have`,
      );
    }
    for (const [at, event] of events.entries()) {
      const its = truth[at];
      const { id, data, revision, position, recordedAt, contentHash } = event;
      const same =
        its &&
        JSON.stringify([id, data, revision, position, recordedAt, contentHash]) ===
          JSON.stringify([
            its.id,
            its.data,
            its.revision,
            its.position,
            its.recordedAt,
            its.contentHash,
          ]);
      if (!same) throw new InvariantError('read', `${stream} showed another event at ${at}`);
    }
    const last = truth[shown - 1];
    if (last) this.#show(process, partition, last.offset + 1);
  }

  #show(process: SimProcess, partition: number, end: number): void {
    const shown = this.#shown.get(process) ?? new Map<number, number>();
    this.#shown.set(process, shown);
    shown.set(partition, Math.max(shown.get(partition) ?? 0, end));
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.#failures.push(error);
    }
  }
}

/** A broker has said that it takes no such record. */
function isDenied(error: unknown): boolean {
  return error instanceof EventLogError && error.code === 'refused';
}

function keyOf(event: Pick<NewEvent, 'id' | 'contentHash'>): string {
  return `${event.id} ${event.contentHash}`;
}

function isOpen(told: AppendResult | 'died'): boolean {
  return told === 'died' || told.kind === 'unknown';
}

function isStored(told: AppendResult | 'died'): boolean {
  return told !== 'died' && told.kind === 'stored';
}

/** An answer in the members that the naive model gives, in its order. */
function asNaive(result: AppendResult): NaiveOutcome | undefined {
  switch (result.kind) {
    case 'stored': {
      const { kind, revision, position, recordedAt, duplicate } = result;
      return { kind, revision, position, recordedAt, duplicate };
    }
    case 'conflict':
      return { kind: 'conflict', actual: result.actual };
    case 'content-mismatch':
      return { kind: 'content-mismatch', id: result.id, revision: result.revision };
    case 'partial-duplicate':
      return { kind: 'partial-duplicate', known: result.known };
    default:
      return undefined;
  }
}
