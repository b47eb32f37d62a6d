import { type Clock, newId } from '@annals/core';
import {
  type AppendResult,
  EventLogError,
  type Expected,
  type NewEvent,
  storedMetadata,
} from '@annals/event-log';
import { encodePosition, type ReplicaEvent } from '@annals/event-log-sqlite/replica';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { AppendLanes } from './append-lanes.ts';
import type { AppendTurn } from './append-turn.ts';
import type { Barriers } from './barriers.ts';
import { envelopeOf, type FollowedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import { type FollowedIndex, partition } from './followed-index.ts';
import type { Looked } from './log-index.ts';
import type { PrefixRecord } from './prefix-record.ts';
import { type Sent, sendAppend } from './server-append.ts';
import { WirePlaces } from './wire-places.ts';

export interface AppenderOptions {
  readonly client: EventStoreDBClient;
  readonly index: FollowedIndex;
  readonly barriers: Barriers;
  readonly prefixes: PrefixRecord;
  readonly prefix: string;
  readonly clock: Pick<Clock, 'now'>;
}

/** One append on its way: what it asks for, and how it goes over the wire. */
interface Append {
  readonly id: string;
  readonly stream: string;
  readonly events: readonly ReplicaEvent[];
  readonly wire: ReturnType<typeof envelopeOf>[];
  readonly expected: Expected;
  readonly turn: AppendTurn;
}

/** Looks the ids of appends up, and sends what is new at the exact head. */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #lanes = new AppendLanes();
  readonly #places = new WirePlaces();
  /** Appends of this process that have come back, until they are answered. */
  readonly #returned = new Set<string>();
  readonly #pending = new Set<string>();

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  get depth(): number {
    return this.#lanes.depth;
  }

  /** Resolves when no append is waiting or under way. */
  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  applied(events: readonly FollowedEvent[]): void {
    for (const { ours } of events) {
      if (ours?.head && this.#pending.has(ours.head.id)) this.#returned.add(ours.head.id);
    }
  }

  /** Answers in `appendMsMax`. `bytes`: of its events. */
  append(
    stream: string,
    bytes: number,
    events: readonly NewEvent[],
    expected: Expected,
  ): Promise<AppendResult> {
    return this.#lanes.run(stream, bytes, async (turn) => {
      const id = newId();
      const stampedAt = this.#options.clock.now();
      const wire = events.map((event, index) =>
        envelopeOf(event, stampedAt, index === 0 ? { id, events: events.length } : undefined),
      );
      this.#pending.add(id);
      try {
        const requested = events.map(requestedEvent);
        return await this.#attempts({ id, stream, events: requested, wire, expected, turn });
      } catch (error) {
        if (isPassing(error)) return turn.unanswered(error.message);
        throw error;
      } finally {
        this.#pending.delete(id);
        this.#returned.delete(id);
      }
    });
  }

  /** Begins again whenever others were quicker. */
  async #attempts(append: Append): Promise<AppendResult> {
    const { stream, wire, turn } = append;
    const { barriers, prefixes } = this.#options;
    for (let attempt = 0; attempt < limits.attemptsMax; attempt += 1) {
      const looked = await this.#looked(append);
      if (looked.kind === 'foreign') throw this.#isTheirs(stream);
      if (looked.kind !== 'new') return this.#answer(looked, append.id);
      if (!(await prefixes.claim(turn.msLeft))) return turn.late();
      const sent = await this.#settled(append, looked.head);
      if (sent.kind === 'in-doubt') return turn.late();
      if (sent.kind === 'too-large') {
        const detail = 'the server takes no append of this size';
        return { kind: 'refused', reason: 'append-too-large', detail };
      }
      if (sent.kind === 'overtaken') {
        turn.isNotStored();
        if (!(await barriers.ofStream(stream, turn.msLeft))) throw this.#isTheirs(stream);
        continue;
      }
      turn.mayBeStored('the server has it, and the index did not come up with that in time');
      const last = (looked.head === 'no-stream' ? -1 : looked.head) + wire.length;
      if (!(await barriers.comes(stream, last, turn.msLeft))) return turn.late();
    }
    return turn.unanswered(
      `other processes appended to ${stream} first, ${limits.attemptsMax} times`,
      'overloaded',
    );
  }

  /** The index may be behind another process: what it would refuse is looked at again when it has come up. */
  async #looked({ stream, events, expected, turn }: Append): Promise<Looked> {
    const { index, barriers } = this.#options;
    const looked = await index.look(stream, events, expected);
    if (looked.kind !== 'conflict' && looked.kind !== 'partial-duplicate') return looked;
    await barriers.ofStream(stream, turn.msLeft);
    return index.look(stream, events, expected);
  }

  /** Sends the very same append again as long as its outcome is in doubt, and there is time. */
  async #settled({ stream, wire, turn }: Append, head: number | 'no-stream'): Promise<Sent> {
    const { client, prefix, barriers } = this.#options;
    for (
      let pauseMs: number = limits.pauseMsMin;
      ;
      pauseMs = Math.min(pauseMs * 2, limits.pauseMsMax)
    ) {
      const sent = await this.#places.run((answered) => {
        if (turn.isOver) return undefined;
        turn.mayBeStored('the server did not answer in time');
        const msMax = Math.min(limits.callMsMax, turn.msLeft);
        return sendAppend(client, prefix + stream, wire, head, msMax, answered);
      });
      if (!sent) return { kind: 'in-doubt', detail: 'it was not sent in time' };
      if (sent.kind !== 'in-doubt' || turn.isOver) return sent;
      turn.mayBeStored(sent.detail);
      if (barriers.failure) throw barriers.failure;
      await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, turn.msLeft)));
    }
  }

  #isTheirs(stream: string): EventLogError {
    const message =
      `${this.#options.prefix}${stream} holds events that no log of ours wrote: nothing was stored. Give the log a prefix that ` +
      'nothing else writes to';
    return new EventLogError('corrupt', message);
  }

  #answer(looked: Exclude<Looked, { kind: 'new' | 'foreign' }>, appendId: string): AppendResult {
    if (looked.kind !== 'written') return looked;
    const { revision, recordedAt } = looked;
    const position = encodePosition(looked.position);
    // What this very call has stored is no duplicate, however often it had to be sent.
    const duplicate = !this.#returned.has(appendId);
    return { kind: 'stored', revision, partition, position, recordedAt, duplicate };
  }
}

/** Whether it is over when the server answers again. */
function isPassing(error: unknown): error is EventLogError {
  return (
    error instanceof EventLogError && (error.code === 'catching-up' || error.code === 'unreachable')
  );
}

function requestedEvent(event: NewEvent): ReplicaEvent {
  const { id, type, schemaVersion, data, contentHash, occurredAt, recordedAt } = event;
  const metadata = storedMetadata(event.metadata);
  return {
    ...{ id, type, schemaVersion, data, contentHash, occurredAt },
    metadata: Object.keys(metadata).length > 0 ? JSON.stringify(metadata) : null,
    recordedAt: recordedAt ?? null,
  };
}
