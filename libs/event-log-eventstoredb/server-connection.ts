import { within } from '@annals/core/within';
import { EventLogError } from '@annals/event-log/port';
import {
  AccessDeniedError,
  EventStoreDBClient,
  type ResolvedEvent,
  type StreamingRead,
  StreamNotFoundError,
} from '@eventstore/db-client';
import { followedEvent } from './event-envelope.ts';
import { eventstoredbLimits as limits } from './eventstoredb-limits.ts';

/** The client of a connection string. Its own errors show parts of the string, where a password may stand. */
export function clientOf(connection: string): EventStoreDBClient {
  // With it the client takes a wrong version for a success, and gives a wrong revision.
  if (/throwOnAppendFailure=false/i.test(connection)) {
    throw new RangeError('a connection string with throwOnAppendFailure=false cannot be used');
  }
  try {
    return EventStoreDBClient.connectionString(connection);
  } catch (error) {
    const ofFile = error instanceof Error && error.message.includes('certificate');
    throw new RangeError(
      ofFile
        ? 'a certificate that the connection string of EventStoreDB names cannot be read: check tlsCAFile, userCertFile and userKeyFile'
        : 'the connection string of EventStoreDB cannot be read',
    );
  }
}

/** Of a connection string, for messages: without user and password. */
export function hostsOf(connection: string): string {
  return connection.replace(/^.*?:\/\/(?:[^@/]*@)?|[/?].*$/g, '');
}

/**
 * Resolves when a server has answered: one that is away at first is asked again for a while. Throws EventLogError:
 * `unreachable` when none does, `refused` at once when it is one that this client must not use, or may not.
 */
export async function untilAnswered(client: EventStoreDBClient, hosts: string): Promise<void> {
  const deadline = Date.now() + limits.connectMsMax;
  for (;;) {
    let cause: unknown;
    try {
      if (await within(firstEvent(client), deadline - Date.now(), () => undefined)) return;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal) {
        throw new EventLogError('refused', `EventStoreDB at ${hosts} ${refusal}`, { cause: error });
      }
      cause = error;
    }
    if (Date.now() > deadline) {
      throw new EventLogError('unreachable', `no EventStoreDB answers at ${hosts}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, limits.pauseMsMin));
  }
}

function firstEvent(client: EventStoreDBClient): Promise<true> {
  const first = client.readAll({ maxCount: 1 });
  const read = (async () => {
    // To its end: a read that is left off is never finished for the client, and cannot be disposed of.
    for await (const _event of first);
    return true as const;
  })();
  read.catch(() => undefined);
  return read;
}

/** What no waiting mends. */
function refusalOf(error: unknown): string | undefined {
  if (error instanceof AccessDeniedError) return 'refuses us: check user and password';
  // The client's transport gives what TLS said in its message only.
  const said = error instanceof Error ? error.message : '';
  if (/SSL routines:\w*:(?:wrong version number|packet length too long)/.test(said)) {
    return 'does not speak TLS, which is the default: write ?tls=false in its URL';
  }
  const [, reason] = /Last error: (?:Error: )?([^;.]*certificate[^;.]*)/i.exec(said) ?? [];
  return reason && `has a certificate that is not trusted (${reason}): check tlsCAFile`;
}

/** What the server has of a stream: `head` is its last revision, -1 when there is none. */
export interface StreamOnServer {
  readonly head: number;
  /** It began with an event that no log of ours wrote. */
  readonly isForeign: boolean;
}

/** `stream` is for messages. Throws EventLogError `unreachable`. */
export async function streamOnServer(
  client: EventStoreDBClient,
  prefix: string,
  stream: string,
  msMax: number,
): Promise<StreamOnServer> {
  const name = prefix + stream;
  const isOurs = (found: ResolvedEvent) => {
    const event = followedEvent(found);
    return event?.ours !== undefined || event?.newerFormat !== undefined;
  };
  const backwards = { direction: 'backwards', fromRevision: 'end', maxCount: 1 } as const;
  try {
    const [last] = await readWithin(client.readStream(name, backwards), msMax);
    if (!last) return { head: -1, isForeign: false };
    const head = Number(last.event?.revision ?? -1n);
    if (isOurs(last)) return { head, isForeign: false };
    const [first] = await readWithin(client.readStream(name, { maxCount: 1 }), msMax);
    return { head, isForeign: first !== undefined && !isOurs(first) };
  } catch (error) {
    if (error instanceof StreamNotFoundError) return { head: -1, isForeign: false };
    const message = `the server does not tell the head of ${stream}`;
    throw new EventLogError('unreachable', message, { cause: error });
  }
}

/** All events of a read, which has no time limit of its own. Throws what the client throws, and when it takes too long. */
export async function readWithin<Resolved>(
  read: StreamingRead<Resolved>,
  msMax: number,
): Promise<Resolved[]> {
  const all = (async () => {
    const events: Resolved[] = [];
    for await (const event of read) events.push(event);
    return events;
  })();
  return within(all, msMax, () => {
    void read.cancel();
    throw new Error(`no answer within ${Math.ceil(msMax)} ms`);
  });
}
