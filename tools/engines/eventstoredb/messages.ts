import type { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type {
  ReadReq,
  ReadResp as ReadRespMessage,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import type { Expected } from './decide-append.ts';
import type { EventFilter } from './event-filter.ts';
import type { ProposedEvent, RecordedEvent } from './event-rows.ts';
import { storeLimits, type WriteOutcome } from './event-store.ts';

/** Between the messages of the protocol and the plain values of the store. */

const { ReadResp } = streams;

/** What the server takes for "the next 32 events" where a filter names no window. */
const searchWindowDefault = 32;
/** The revision of the event that ends a stream for ever: 2^63 - 1. */
const endOfStream = '9223372036854775807';
/** Numbers that stand for the forms of an expected revision in the metadata of an error. */
const expectedNumbers = { any: -2, 'no-stream': -1, 'stream-exists': -4 } as const;

export function empty() {
  return new shared.Empty();
}

export function streamName(identifier: StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');
}

export function streamIdentifier(name: string): StreamIdentifier {
  return new shared.StreamIdentifier().setStreamName(Buffer.from(name));
}

export function uuidText(uuid: UUID | undefined): string {
  const structured = uuid?.getStructured();
  if (!structured) return uuid?.getString() ?? '';
  const bits = Buffer.alloc(16);
  bits.writeBigInt64BE(BigInt(structured.getMostSignificantBits()), 0);
  bits.writeBigInt64BE(BigInt(structured.getLeastSignificantBits()), 8);
  return bits.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The forms that the options of all writes have. */
interface ExpectedOptions {
  hasAny(): boolean;
  hasNoStream(): boolean;
  hasStreamExists(): boolean;
}

export function expectedOf(options: ExpectedOptions, revision: string): Expected {
  if (options.hasAny()) return { kind: 'any' };
  if (options.hasNoStream()) return { kind: 'no-stream' };
  if (options.hasStreamExists()) return { kind: 'stream-exists' };
  return { kind: 'revision', revision: Number(revision) };
}

interface ProposedMessage {
  getId(): UUID | undefined;
  getMetadataMap(): { get(key: string): string | undefined };
  getCustomMetadata_asU8(): Uint8Array;
  getData_asU8(): Uint8Array;
}

export function proposedEvent(message: ProposedMessage): ProposedEvent {
  const properties = message.getMetadataMap();
  return {
    id: uuidText(message.getId()).toLowerCase(),
    type: properties.get('type') ?? '',
    contentType: properties.get('content-type') ?? 'application/octet-stream',
    metadata: message.getCustomMetadata_asU8(),
    data: message.getData_asU8(),
  };
}

export function eventResponse(event: RecordedEvent): ReadRespMessage {
  const position = String(event.position);
  const recorded = new ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(event.id))
    .setStreamIdentifier(streamIdentifier(event.stream))
    .setStreamRevision(event.revision < 0 ? endOfStream : String(event.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setCustomMetadata(event.metadata)
    .setData(event.data);
  const properties = recorded.getMetadataMap();
  properties.set('type', event.type);
  properties.set('content-type', event.contentType);
  // .NET counts in 100 nanoseconds.
  properties.set('created', String(BigInt(event.createdUs) * 10n));
  const read = new ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position);
  return new ReadResp().setEvent(read);
}

export function checkpointResponse(position: number): ReadRespMessage {
  const checkpoint = new ReadResp.Checkpoint()
    .setCommitPosition(String(position))
    .setPreparePosition(String(position));
  return new ReadResp().setCheckpoint(checkpoint);
}

/** Throws what `invalidArgument` makes for an option that is not there. */
export function filterOf(options: ReadReq.Options): EventFilter | undefined {
  const filter = options.getFilter();
  if (!filter) return undefined;
  const ofStreams = filter.getStreamIdentifier();
  const expression = ofStreams ?? filter.getEventType();
  if (!expression) throw invalidArgument('a filter needs streams or types');
  const window = filter.hasMax() ? filter.getMax() : searchWindowDefault;
  const multiplier = filter.getCheckpointintervalmultiplier();
  if (window < 1 || multiplier < 1) throw invalidArgument('a window and its multiplier begin at 1');
  return {
    on: ofStreams ? 'stream' : 'type',
    prefixes: expression.getPrefixList(),
    regex: expression.getRegex(),
    checkpointEvents: window * multiplier,
  };
}

export function invalidArgument(details: string): ServiceError {
  return failure(status.INVALID_ARGUMENT, details, {});
}

export function unsupported(what: string): ServiceError {
  return failure(status.UNIMPLEMENTED, `this test double of EventStoreDB has no ${what}`, {});
}

export function streamDeleted(stream: string): ServiceError {
  return failure(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });
}

type Failed = Exclude<WriteOutcome, { kind: 'stored' }>;

/** The error of a write that is answered by one. */
export function writeFailure(stream: string, expected: Expected, outcome: Failed): ServiceError {
  if (outcome.kind === 'deleted') return streamDeleted(stream);
  if (outcome.kind === 'unsupported') return unsupported(outcome.what);
  if (outcome.kind === 'too-large') {
    return failure(status.INVALID_ARGUMENT, 'Maximum Append Size Exceeded.', {
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': String(storeLimits.appendBytesMax),
    });
  }
  const number = expected.kind === 'revision' ? expected.revision : expectedNumbers[expected.kind];
  return failure(status.FAILED_PRECONDITION, `Append failed due to WrongExpectedVersion.`, {
    exception: 'wrong-expected-version',
    'stream-name': stream,
    'expected-version': String(number),
    ...(outcome.current >= 0 && { 'actual-version': String(outcome.current) }),
  });
}

function failure(
  code: status,
  details: string,
  trailers: Readonly<Record<string, string>>,
): ServiceError {
  const metadata = new Metadata();
  // A name may be any text, and trailers carry ASCII only: the server escapes it, too.
  for (const [key, value] of Object.entries(trailers)) {
    metadata.set(key, /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(value));
  }
  return Object.assign(new Error(details), { code, details, metadata });
}
