import { type NewEvent, storedMetadata } from '@annals/event-log';
import type { ReplicaEvent } from '@annals/event-log-sqlite/replica';
import { binaryEvent, type EventData, type ResolvedEvent } from '@eventstore/db-client';
import { z } from 'zod';

/**
 * An event as EventStoreDB keeps it, version 1. Its data are the very bytes of the event's JSON text; the
 * client would write JSON anew, so they go as octets. What is not data goes into the event's metadata,
 * short, because it counts for the size of an append.
 */
const envelope = z.object({
  /** Version of this format. */
  f: z.literal(1),
  /** schemaVersion */
  v: z.int().positive(),
  /** contentHash in base64url. */
  h: z.string().length(43),
  /** occurredAt */
  o: z.int().nonnegative(),
  /** When its writer had it, by its own clock. The log never goes back, so the stamp may be later. */
  s: z.int().nonnegative(),
  /** recordedAt, where another log has stamped it. */
  r: z.int().nonnegative().optional(),
  /** Metadata of the port. */
  m: z.record(z.string(), z.string()).optional(),
  /** The append, in its first event: whoever sent it knows it again. */
  a: z.string().max(64).optional(),
  /** How many events the append has, in its first event. */
  n: z.int().positive().optional(),
});

/** What events of ours will have in any format to come. */
const anyEnvelope = z.object({ f: z.int().positive(), h: z.string().length(43) });

/** What the first event of an append says of it. */
export interface AppendHead {
  readonly id: string;
  readonly events: number;
}

export function envelopeOf(event: NewEvent, stampedAt: number, head?: AppendHead): EventData {
  const metadata = storedMetadata(event.metadata);
  const wrapped: z.infer<typeof envelope> = {
    f: 1,
    v: event.schemaVersion,
    h: Buffer.from(event.contentHash, 'hex').toString('base64url'),
    o: event.occurredAt,
    s: stampedAt,
    ...(event.recordedAt !== undefined && { r: event.recordedAt }),
    ...(Object.keys(metadata).length > 0 && { m: metadata as Record<string, string> }),
    ...(head && { a: head.id, n: head.events }),
  };
  const data = new Uint8Array(Buffer.from(event.data));
  return binaryEvent({ id: event.id, type: event.type, data, metadata: wrapped });
}

/** An event of the log as the server tells it. */
export interface FollowedEvent {
  /** Name on the server, with the prefix. */
  readonly stream: string;
  readonly revision: number;
  /** Commit position: bytes from the beginning of the server's log. */
  readonly place: number;
  readonly id: string;
  /** Undefined when no log of ours wrote it, or it is of a later format. */
  readonly ours: Ours | undefined;
  /** The format that this program does not know. */
  readonly newerFormat?: number | undefined;
}

export interface Ours {
  readonly event: ReplicaEvent;
  readonly stampedAt: number;
  /** In the first event of an append. */
  readonly head: AppendHead | undefined;
}

/** Undefined for what has no event in it any more. */
export function followedEvent({ event }: ResolvedEvent): FollowedEvent | undefined {
  if (!event) return undefined;
  const { streamId, revision, id, position } = event;
  const place = Number(position?.commit ?? 0n);
  const ours = oursOf(event);
  const newerFormat = ours ? undefined : newerFormatOf(event.metadata);
  return { stream: streamId, revision: Number(revision), place, id, ours, newerFormat };
}

function newerFormatOf(metadata: unknown): number | undefined {
  const read = anyEnvelope.safeParse(metadata);
  return read.success && read.data.f > 1 ? read.data.f : undefined;
}

function oursOf(event: NonNullable<ResolvedEvent['event']>): Ours | undefined {
  const read = envelope.safeParse(event.metadata);
  if (!read.success || !(event.data instanceof Uint8Array)) return undefined;
  const { v, h, o, s, r, m, a, n = 1 } = read.data;
  return {
    stampedAt: s,
    head: a === undefined ? undefined : { id: a, events: n },
    event: {
      id: event.id.toLowerCase(),
      type: event.type,
      schemaVersion: v,
      data: Buffer.from(event.data).toString('utf8'),
      contentHash: Buffer.from(h, 'base64url').toString('hex'),
      metadata: m ? JSON.stringify(m) : null,
      occurredAt: o,
      recordedAt: r ?? null,
    },
  };
}
