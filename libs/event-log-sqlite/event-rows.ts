import { idFromHex } from '@annals/core/ids';
import {
  EventLogError,
  type Metadata,
  type Position,
  type StoredEvent,
} from '@annals/event-log/port';

/** Columns of one event in the order of `EventRow`. Ids and hashes are turned into text by SQLite: twice as fast as here. */
export const eventColumns =
  'position, stream_id, revision, kind_id, schema_version, occurred_at, recorded_at, ' +
  'lower(hex(event_id) || hex(content_hash)), metadata, data';

export type EventRow = readonly [
  position: number,
  streamId: number,
  revision: number,
  kindId: number,
  schemaVersion: number,
  occurredAt: number,
  recordedAt: number,
  idAndHash: string,
  metadata: string | null,
  data: string,
];

export interface Kind {
  readonly id: number;
  readonly category: string;
  readonly type: string;
}

/** The one partition of a log. A replica has a file for each of its partitions. */
export const partition = 0;

const positionDigits = 16;
const positionPattern = /^\d{16}$/;

const digits = Buffer.alloc(positionDigits);

/** Made of its bytes: a text that is put together keeps its parts, and is put together again by whoever compares it. */
export function encodePosition(position: number): Position {
  let rest = position;
  for (let at = positionDigits - 1; at >= 0; at -= 1) {
    const digit = rest % 10;
    digits[at] = 0x30 + digit;
    rest = (rest - digit) / 10;
  }
  return digits.toString('latin1');
}

/** Throws a RangeError for text that no SQLite log gave out: a bug of the caller, or a checkpoint of another engine. */
export function decodePosition(position: Position): number {
  if (positionPattern.test(position)) return Number(position);
  throw new RangeError(`${JSON.stringify(position)} is not a position of this log`);
}

/**
 * Of a body that a replica has dropped, because the other log has it, its length is left behind this sign: data is
 * JSON text of an object, so none begins so.
 */
export const droppedSign = '#';

export function isDropped(data: string): boolean {
  return data.startsWith(droppedSign);
}

/** How many characters the data of an event has, also where it was dropped. */
export function dataUnits(data: string): number {
  return isDropped(data) ? Number(data.slice(droppedSign.length)) : data.length;
}

const noMetadata: Metadata = Object.freeze({});

export function storedEvent(
  row: EventRow,
  stream: string,
  kind: Kind,
  inPartition: number,
): StoredEvent {
  const [position, , revision, , schemaVersion, occurredAt, recordedAt, hex, metadata, data] = row;
  if (hex.length !== 96) {
    throw new EventLogError('corrupt', `the id or hash of event ${position} has a wrong length`);
  }
  return {
    id: idFromHex(hex),
    type: kind.type,
    schemaVersion,
    data,
    contentHash: hex.slice(32),
    metadata: metadata === null ? noMetadata : (JSON.parse(metadata) as Metadata),
    occurredAt,
    recordedAt,
    stream,
    revision,
    partition: inPartition,
    position: encodePosition(position),
  };
}
