import { within } from '@annals/core/within';
import { EventLogError } from '@annals/event-log/port';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { Arrivals } from './arrivals.ts';
import type { FollowedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';
import type { FollowedIndex } from './followed-index.ts';
import { lastEventBehind } from './last-event.ts';
import { streamOnServer } from './server-connection.ts';

export interface BarriersOptions {
  readonly client: EventStoreDBClient;
  readonly index: FollowedIndex;
  readonly prefix: string;
}

/** Waits until the index has come up to what the server says. */
export class Barriers {
  readonly #options: BarriersOptions;
  readonly #arrivals = new Arrivals();
  #failure: Error | undefined;

  constructor(options: BarriersOptions) {
    this.#options = options;
  }

  /** Why nothing is followed any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  applied(events: readonly FollowedEvent[]): void {
    const { prefix } = this.#options;
    const arrived = events.map(
      ({ stream, revision }) => [stream.slice(prefix.length), revision] as const,
    );
    this.#arrivals.arrived(arrived);
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#arrivals.fail(error);
  }

  /**
   * Resolves when all that was acknowledged in the stream before the call is in the index: to whether it may be ours, which
   * one that others began is not. Throws EventLogError: `unreachable`, or `catching-up` after `msMax`.
   */
  async ofStream(stream: string, msMax: number = limits.followMsMax): Promise<boolean> {
    const { client, prefix } = this.#options;
    const callMsMax = Math.min(msMax, limits.callMsMax);
    const { head, isForeign } = await streamOnServer(client, prefix, stream, callMsMax);
    if (isForeign) return false;
    if (!(await this.comes(stream, head, msMax))) throw new EventLogError('catching-up', tooSlow);
    return true;
  }

  /** The same of all streams. What is not ours on the server is not waited for. */
  async ofAll(): Promise<void> {
    const { client, index, prefix } = this.#options;
    await index.whole();
    const last = await lastEventBehind(client, prefix, index.progress.place);
    const isRead = async () => {
      await index.whole();
      return index.progress.place >= (last?.place ?? 0);
    };
    if (last && !(await this.#arrives(last.stream, last.revision, limits.followMsMax, isRead))) {
      throw new EventLogError('catching-up', tooSlow);
    }
    if (this.#failure) throw this.#failure;
  }

  /** Whether the index comes to hold this revision of the stream in time, or knows that it holds none of it. */
  comes(stream: string, revision: number, msMax: number = limits.followMsMax): Promise<boolean> {
    return this.#arrives(stream, revision, msMax, async () => {
      const looked = await this.#options.index.look(stream, [], 'any');
      if (looked.kind === 'foreign') return true;
      const head = looked.kind === 'new' && looked.head !== 'no-stream' ? looked.head : -1;
      return head >= revision;
    });
  }

  async #arrives(
    stream: string,
    revision: number,
    msMax: number,
    isThere: () => Promise<boolean>,
  ): Promise<boolean> {
    try {
      if (await isThere()) return true;
    } catch (error) {
      if (!isCatchingUp(error)) throw error;
    }
    if (this.#failure) throw this.#failure;
    // Nothing is stored in the index between the look and this: that takes a turn of its own.
    return within(this.#arrivals.wait(stream, revision), msMax, () => false);
  }
}

function isCatchingUp(error: unknown): error is EventLogError {
  return error instanceof EventLogError && error.code === 'catching-up';
}

const tooSlow = 'the index did not come up with the server in time';
