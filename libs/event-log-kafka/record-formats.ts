import { type DecideAppend, rulesByFormat } from './decide-append.ts';
import type { LogRecord } from './record.ts';
import {
  decodeFormat1,
  encodeFormat1,
  format1,
  magic,
  type RecordToEncode,
} from './record-format-1.ts';

/** One version of what a record looks like and how it is judged. All that were ever written are kept. */
export interface RecordFormat {
  readonly version: number;
  encode(record: RecordToEncode): Buffer;
  /** Undefined when `value` is not a whole record of this format. May throw RangeError for the same. */
  decode(value: Buffer, key: Buffer | null): LogRecord | undefined;
  readonly decide: DecideAppend;
}

export type RecordFormats = ReadonlyMap<number, RecordFormat>;

export const recordFormats: RecordFormats = formatsOf(
  [...rulesByFormat].map(([version, decide]) => ({
    version,
    decide,
    encode: encodeFormat1,
    decode: decodeFormat1,
  })),
);

/** The format that is written unless configuration says otherwise: the newest all processes can read. */
export const writtenFormat = format1;

export function formatsOf(formats: readonly RecordFormat[]): RecordFormats {
  return new Map(formats.map((format) => [format.version, format]));
}

export type ReadRecord =
  | { readonly kind: 'record'; readonly record: LogRecord }
  /** Nothing that a process of ours wrote, or damaged on its way: skipped, by every process alike. */
  | { readonly kind: 'foreign' }
  /** Ours, of a format that only newer programs know. To skip it would be a verdict of one's own. */
  | { readonly kind: 'newer'; readonly format: number };

export function readRecord(
  formats: RecordFormats,
  value: Buffer | null,
  key: Buffer | null,
): ReadRecord {
  if (value === null || value.length < 4 || value.readUInt16BE(0) !== magic) {
    return { kind: 'foreign' };
  }
  const version = value[2] as number;
  const format = formats.get(version);
  if (!format) return version === 0 ? { kind: 'foreign' } : { kind: 'newer', format: version };
  try {
    const record = format.decode(value, key);
    return record ? { kind: 'record', record } : { kind: 'foreign' };
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'foreign' };
    throw error;
  }
}
