import { randomUUID } from 'node:crypto';
import type { IStreamsServer } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type {
  ReadReq,
  ReadResp as ReadRespMessage,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream, ServiceError } from '@grpc/grpc-js';
import { type EventFilter, passes } from './event-filter.ts';
import type { Page, RecordedEvent, StreamRow } from './event-rows.ts';
import { type EventStore, isSoftDeleted } from './event-store.ts';
import {
  checkpointResponse,
  eventResponse,
  filterOf,
  invalidArgument,
  streamDeleted,
  streamName,
} from './messages.ts';

const { ReadResp } = streams;

type ReadCall = ServerWritableStream<ReadReq, ReadRespMessage>;

/** Events of one page; a subscription that is live and has more than so many before it fell behind. */
const pageEventsMax = 200;

/** What is read: one stream, or all. */
interface Source {
  page(page: Page): RecordedEvent[];
  /** Where an event stands in it. */
  placeOf(event: RecordedEvent): number;
  /** Throws when it is gone for ever. */
  check(): void;
  /** The place of its first event, and the one behind its last. */
  readonly start: number;
  readonly end: number;
}

export function readService(store: EventStore): Pick<IStreamsServer, 'read'> {
  return {
    read: (call) => {
      answer(store, call).then(
        () => call.end(),
        (error: ServiceError) => call.emit('error', error),
      );
    },
  };
}

async function answer(store: EventStore, call: ReadCall): Promise<void> {
  const options = call.request.getOptions();
  if (!options) throw invalidArgument('options are missing');
  const stream = options.getStream()?.getStreamIdentifier();
  const wire = new Wire(call);
  const source = sourceOf(store, options);
  source.check();
  if (options.hasSubscription()) {
    await subscribe(store, wire, source, fromOf(options, source), filterOf(options));
  } else if (stream && isNotThere(store.rows.stream(streamName(stream)))) {
    const notFound = new ReadResp.StreamNotFound().setStreamIdentifier(stream);
    await wire.send(new ReadResp().setStreamNotFound(notFound));
  } else {
    await readOnce(wire, source, options);
  }
}

function isNotThere(row: StreamRow): boolean {
  return row.last < 0 || isSoftDeleted(row);
}

function sourceOf(store: EventStore, options: ReadReq.Options): Source {
  const of = options.getStream();
  if (!of) {
    return {
      page: (page) => store.rows.ofAll(page),
      placeOf: ({ position }) => position,
      check: () => undefined,
      start: 0,
      end: store.rows.end(),
    };
  }
  const stream = streamName(of.getStreamIdentifier());
  return {
    page: (page) => store.rows.ofStream(stream, page),
    placeOf: ({ revision }) => revision,
    check: () => {
      if (store.rows.stream(stream).tombstoned) throw streamDeleted(stream);
    },
    start: 0,
    end: store.rows.stream(stream).last + 1,
  };
}

/** The place that the request names; undefined: the beginning or the end. */
function namedPlace(options: ReadReq.Options): number | undefined {
  const stream = options.getStream();
  if (stream) return stream.hasRevision() ? safe(stream.getRevision()) : undefined;
  const position = options.getAll()?.getPosition();
  return position ? safe(position.getCommitPosition()) : undefined;
}

function safe(text: string): number {
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER - 1);
}

/** A subscription goes on behind the event that it names. */
function fromOf(options: ReadReq.Options, source: Source): number {
  const named = namedPlace(options);
  if (named !== undefined) return named + 1;
  return options.getStream()?.hasEnd() || options.getAll()?.hasEnd() ? source.end : source.start;
}

async function readOnce(wire: Wire, source: Source, options: ReadReq.Options): Promise<void> {
  const forwards = options.getReadDirection() === 0;
  const ofAll = !options.getStream();
  const isWanted = passes(filterOf(options));
  const atEnd = options.getStream()?.hasEnd() || options.getAll()?.hasEnd();
  // Backwards, a position is the border behind the events that are read; a revision is the first of them.
  const named = namedPlace(options) ?? (atEnd ? source.end : source.start);
  let from = !forwards && (ofAll || atEnd) ? named - 1 : named;
  let left = safe(options.getCount());
  const direction = forwards ? 'forwards' : 'backwards';
  while (left > 0 && from >= 0 && !wire.isGone) {
    const page = source.page({ direction, from, limit: Math.min(left, pageEventsMax) });
    for (const event of page.filter(isWanted)) {
      await wire.send(eventResponse(event));
      left -= 1;
    }
    const last = page.at(-1);
    if (!last) return;
    from = source.placeOf(last) + (forwards ? 1 : -1);
  }
}

async function subscribe(
  store: EventStore,
  wire: Wire,
  source: Source,
  start: number,
  filter: EventFilter | undefined,
): Promise<void> {
  const isWanted = passes(filter);
  const confirmation = new ReadResp.SubscriptionConfirmation().setSubscriptionId(randomUUID());
  await wire.send(new ReadResp().setConfirmation(confirmation));
  let from = start;
  let live = false;
  let considered = 0;
  while (!wire.isGone) {
    const page = source.page({ direction: 'forwards', from, limit: pageEventsMax });
    if (live && page.length === pageEventsMax) {
      live = false;
      await wire.send(new ReadResp().setFellBehind(new ReadResp.FellBehind()));
    }
    for (const event of page) {
      if (isWanted(event)) await wire.send(eventResponse(event));
      considered += 1;
      if (filter && considered >= filter.checkpointEvents) {
        considered = 0;
        await wire.send(checkpointResponse(event.position));
      }
    }
    const last = page.at(-1);
    if (last) {
      from = source.placeOf(last) + 1;
      continue;
    }
    if (!live) {
      live = true;
      await wire.send(new ReadResp().setCaughtUp(new ReadResp.CaughtUp()));
      continue;
    }
    await wire.untilCommit(store);
    source.check();
  }
}

/** The way back to the client: it writes no faster than the client reads. */
class Wire {
  readonly #call: ReadCall;
  #gone = false;
  #wake: () => void = () => undefined;

  constructor(call: ReadCall) {
    this.#call = call;
    const end = (): void => {
      this.#gone = true;
      this.#wake();
    };
    call.on('cancelled', end);
    call.on('close', end);
    call.on('error', end);
    call.on('drain', () => this.#wake());
  }

  get isGone(): boolean {
    return this.#gone;
  }

  async send(response: ReadRespMessage): Promise<void> {
    if (this.#gone || this.#call.write(response)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Until something was appended, or the client went away. */
  async untilCommit(store: EventStore): Promise<void> {
    let stop = (): void => undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      stop = store.onCommit(resolve);
      if (this.#gone) resolve();
    });
    stop();
  }
}
