import codes from '@eventstore/db-client/generated/code_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { Status } from '@eventstore/db-client/generated/status_pb.js';
import statuses from '@eventstore/db-client/generated/status_pb.js';
import type { IStreamsServer } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import protobufAny from 'google-protobuf/google/protobuf/any_pb.js';
import protobufEmpty from 'google-protobuf/google/protobuf/empty_pb.js';
import type { Expected } from './decide-append.ts';
import type { ProposedEvent } from './event-rows.ts';
import { type EventStore, storeLimits, type WriteOutcome } from './event-store.ts';
import {
  empty,
  expectedOf,
  invalidArgument,
  proposedEvent,
  streamIdentifier,
  streamName,
  uuidText,
  writeFailure,
} from './messages.ts';

type WriteService = Pick<IStreamsServer, 'append' | 'batchAppend' | 'delete' | 'tombstone'>;

/** One append that is still arriving. */
interface Arriving {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: ProposedEvent[];
  /** Bytes that arrived; more than one append may have are thrown away, and the append refused. */
  bytes: number;
}

/** All calls that change something. */
export function writeService(store: EventStore): WriteService {
  return { ...appendCalls(store), ...deleteCalls(store) };
}

function appendCalls(store: EventStore): Pick<WriteService, 'append' | 'batchAppend'> {
  return {
    append: (call, callback) => {
      let arriving: Arriving | undefined;
      call.on('data', (request: AppendReq) => {
        const options = request.getOptions();
        if (options) {
          const stream = streamName(options.getStreamIdentifier());
          const expected = expectedOf(options, options.getRevision());
          arriving = { stream, expected, events: [], bytes: 0 };
        }
        const message = request.getProposedMessage();
        if (message && arriving) take(arriving, proposedEvent(message));
      });
      call.on('end', () => {
        if (!arriving) return callback(invalidArgument('an append begins with its options'));
        const { stream, expected, events } = arriving;
        store.append(stream, expected, events).then((outcome) => {
          if (outcome.kind === 'stored') return callback(null, appended(outcome));
          if (outcome.kind === 'wrong-version')
            return callback(null, refused(expected, outcome.current));
          return callback(writeFailure(stream, expected, outcome));
        }, callback);
      });
    },

    batchAppend: (call) => {
      const arriving = new Map<string, Arriving>();
      const answered: Promise<void>[] = [];
      call.on('data', (request: BatchAppendReq) => {
        const correlation = uuidText(request.getCorrelationId());
        const one = batchOf(request, arriving.get(correlation));
        if (!one) return call.emit('error', invalidArgument('an append begins with its options'));
        arriving.set(correlation, one);
        for (const message of request.getProposedMessagesList()) take(one, proposedEvent(message));
        if (!request.getIsFinal()) return;
        arriving.delete(correlation);
        answered.push(
          store.append(one.stream, one.expected, one.events).then(
            (outcome) => void call.write(batchResponse(correlation, one, outcome)),
            (error: unknown) => void call.emit('error', error),
          ),
        );
      });
      call.on('end', () => Promise.all(answered).then(() => call.end()));
    },
  };
}

function deleteCalls(store: EventStore): Pick<WriteService, 'delete' | 'tombstone'> {
  return {
    delete: ({ request }, callback) => {
      const options = request.getOptions();
      if (!options) return callback(invalidArgument('options are missing'));
      const stream = streamName(options.getStreamIdentifier());
      const expected = expectedOf(options, options.getRevision());
      store.delete(stream, expected).then((outcome) => {
        if (outcome.kind !== 'stored') return callback(writeFailure(stream, expected, outcome));
        const position = at(new streams.DeleteResp.Position(), outcome.position);
        callback(null, new streams.DeleteResp().setPosition(position));
      }, callback);
    },

    tombstone: ({ request }, callback) => {
      const options = request.getOptions();
      if (!options) return callback(invalidArgument('options are missing'));
      const stream = streamName(options.getStreamIdentifier());
      const expected = expectedOf(options, options.getRevision());
      store.tombstone(stream, expected).then((outcome) => {
        if (outcome.kind !== 'stored') return callback(writeFailure(stream, expected, outcome));
        const position = at(new streams.TombstoneResp.Position(), outcome.position);
        callback(null, new streams.TombstoneResp().setPosition(position));
      }, callback);
    },
  };
}

function batchOf(request: BatchAppendReq, before: Arriving | undefined): Arriving | undefined {
  const options = request.getOptions();
  if (!options) return before;
  const stream = streamName(options.getStreamIdentifier());
  const expected = expectedOf(options, options.getStreamPosition());
  return { stream, expected, events: [], bytes: 0 };
}

/** One event over the limit is kept: by it the store sees that there were too many. */
function take(arriving: Arriving, event: ProposedEvent): void {
  if (arriving.bytes > storeLimits.appendBytesMax) return;
  arriving.events.push(event);
  arriving.bytes += event.type.length * 2 + event.metadata.length + event.data.length;
}

interface Positioned {
  setCommitPosition(value: string): this;
  setPreparePosition(value: string): this;
}

function at<T extends Positioned>(message: T, position: number): T {
  return message.setCommitPosition(String(position)).setPreparePosition(String(position));
}

type Stored = Extract<WriteOutcome, { kind: 'stored' }>;

function appended({ last, position }: Stored): AppendResp {
  const success = new streams.AppendResp.Success().setPosition(
    at(new streams.AppendResp.Position(), position),
  );
  if (last < 0) success.setNoStream(empty());
  else success.setCurrentRevision(String(last));
  return new streams.AppendResp().setSuccess(success);
}

function refused(expected: Expected, current: number): AppendResp {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (current < 0) wrong.setCurrentNoStream(empty());
  else wrong.setCurrentRevision(String(current));
  if (expected.kind === 'any') wrong.setExpectedAny(empty());
  else if (expected.kind === 'no-stream') wrong.setExpectedNoStream(empty());
  else if (expected.kind === 'stream-exists') wrong.setExpectedStreamExists(empty());
  else wrong.setExpectedRevision(String(expected.revision));
  return new streams.AppendResp().setWrongExpectedVersion(wrong);
}

function batchResponse(
  correlation: string,
  { stream, expected }: Arriving,
  outcome: WriteOutcome,
): BatchAppendResp {
  const response = new streams.BatchAppendResp()
    .setCorrelationId(new shared.UUID().setString(correlation))
    .setStreamIdentifier(streamIdentifier(stream));
  if (outcome.kind !== 'stored') return response.setError(batchError(stream, expected, outcome));
  const success = new streams.BatchAppendResp.Success().setPosition(
    at(new shared.AllStreamPosition(), outcome.position),
  );
  if (outcome.last < 0) success.setNoStream(new protobufEmpty.Empty());
  else success.setCurrentRevision(String(outcome.last));
  return response.setSuccess(success);
}

function batchError(
  stream: string,
  expected: Expected,
  outcome: Exclude<WriteOutcome, Stored>,
): Status {
  switch (outcome.kind) {
    case 'deleted': {
      const details = new shared.StreamDeleted().setStreamIdentifier(streamIdentifier(stream));
      return packed('FAILED_PRECONDITION', 'StreamDeleted', details);
    }
    case 'too-large': {
      const details = new shared.MaximumAppendSizeExceeded();
      details.setMaxappendsize(storeLimits.appendBytesMax);
      return packed('INVALID_ARGUMENT', 'MaximumAppendSizeExceeded', details);
    }
    case 'unsupported': {
      const message = `this test double of EventStoreDB has no ${outcome.what}`;
      const details = new shared.BadRequest().setMessage(message);
      return packed('UNIMPLEMENTED', 'BadRequest', details).setMessage(message);
    }
    case 'wrong-version':
      return packed(
        'FAILED_PRECONDITION',
        'WrongExpectedVersion',
        wrongVersion(expected, outcome.current),
      );
  }
}

function wrongVersion(expected: Expected, current: number) {
  const details = new shared.WrongExpectedVersion();
  const nothing = new protobufEmpty.Empty();
  if (current < 0) details.setCurrentNoStream(nothing);
  else details.setCurrentStreamRevision(String(current));
  if (expected.kind === 'any') return details.setExpectedAny(nothing);
  if (expected.kind === 'no-stream') return details.setExpectedNoStream(nothing);
  if (expected.kind === 'stream-exists') return details.setExpectedStreamExists(nothing);
  return details.setExpectedStreamPosition(String(expected.revision));
}

function packed(
  code: keyof typeof codes.Code,
  name: string,
  details: { serializeBinary(): Uint8Array },
): Status {
  const any = new protobufAny.Any();
  any.pack(details.serializeBinary(), `event_store.client.${name}`);
  return new statuses.Status().setCode(codes.Code[code]).setMessage(name).setDetails(any);
}
