import { storedMetadata } from '@annals/event-log/append-rules';
import type {
  AppendResult,
  EventLogErrorCode,
  Expected,
  Metadata,
  NewEvent,
} from '@annals/event-log/port';
import { encodePosition, partition } from './event-rows.ts';
import type { WriterSettings } from './log-file.ts';

/**
 * What the calling thread and the writer thread say to each other. Appends travel as flat lists of
 * text and numbers: the structured clone of those costs a third of that of objects.
 *
 * Answers come in the order of the appends, so that nothing needs a number to be found by.
 */
export interface AppendsMessage {
  /** The caller's clock: milliseconds since 1970. The writer has none. */
  readonly now: number;
  readonly appends: number;
  readonly fields: Fields;
}

export type Fields = (string | number | null)[];

export interface CloseMessage {
  readonly close: true;
}

export interface WriterOptions {
  readonly folder: string;
}

export type WriterMessage =
  /** The first word of a writer. After `failed-to-open` it is gone. */
  | { readonly kind: 'opened'; readonly settings: WriterSettings }
  | { readonly kind: 'failed-to-open'; readonly error: WriterError }
  /** One transaction has ended: committed, or rolled back for all its appends. */
  | CommittedMessage
  | { readonly kind: 'failed'; readonly appends: number; readonly error: WriterError };

export interface CommittedMessage {
  readonly kind: 'committed';
  /** `storedFields` numbers for each append: position (0: look in `others`), revision, recordedAt, duplicate. */
  readonly stored: readonly number[];
  readonly others: readonly AppendResult[];
  /** Events this transaction added; 0 when it only had answers to give. */
  readonly events: number;
}

/** An error as it crosses the threads; without `code` it is a bug. */
export interface WriterError {
  readonly code?: EventLogErrorCode;
  readonly message: string;
}

export interface AppendRequest {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly RequestedEvent[];
}

/** An event with its metadata already as text, null for none. */
export interface RequestedEvent {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly contentHash: string;
  readonly metadata: string | null;
  readonly occurredAt: number;
  readonly recordedAt: number | null;
}

export function encodeAppend(
  fields: Fields,
  stream: string,
  events: readonly NewEvent[],
  expected: Expected,
): void {
  fields.push(stream, expected, events.length);
  for (const event of events) {
    fields.push(
      event.id,
      event.type,
      event.schemaVersion,
      event.data,
      event.contentHash,
      metadataText(event.metadata),
      event.occurredAt,
      event.recordedAt ?? null,
    );
  }
}

export function decodeAppends({ appends, fields }: AppendsMessage): AppendRequest[] {
  let at = 0;
  const next = () => fields[at++];
  return Array.from({ length: appends }, () => {
    const stream = next() as string;
    const expected = next() as Expected;
    const events: RequestedEvent[] = [];
    for (let left = next() as number; left > 0; left -= 1) {
      events.push({
        id: next() as string,
        type: next() as string,
        schemaVersion: next() as number,
        data: next() as string,
        contentHash: next() as string,
        metadata: next() as string | null,
        occurredAt: next() as number,
        recordedAt: next() as number | null,
      });
    }
    return { stream, expected, events };
  });
}

function metadataText(metadata: Metadata | undefined): string | null {
  if (metadata === undefined) return null;
  const text = JSON.stringify(storedMetadata(metadata));
  return text === '{}' ? null : text;
}

const storedFields = 4;

/** The results of one transaction. Positions are numbers here, and text only at the port. */
export function encodeResults(results: readonly WrittenResult[], events: number): CommittedMessage {
  const stored: number[] = [];
  const others: AppendResult[] = [];
  for (const result of results) {
    if (result.kind === 'written') {
      const { position, revision, recordedAt, duplicate } = result;
      stored.push(position, revision, recordedAt, duplicate ? 1 : 0);
    } else {
      stored.push(0, 0, 0, 0);
      others.push(result);
    }
  }
  return { kind: 'committed', stored, others, events };
}

export function decodeResults({ stored, others }: CommittedMessage): AppendResult[] {
  const results: AppendResult[] = [];
  let other = 0;
  for (let at = 0; at < stored.length; at += storedFields) {
    const position = stored[at] as number;
    if (position === 0) {
      results.push(others[other] as AppendResult);
      other += 1;
    } else {
      results.push({
        kind: 'stored',
        revision: stored[at + 1] as number,
        partition,
        position: encodePosition(position),
        recordedAt: stored[at + 2] as number,
        duplicate: stored[at + 3] === 1,
      });
    }
  }
  return results;
}

export interface Written {
  readonly kind: 'written';
  readonly position: number;
  readonly revision: number;
  readonly recordedAt: number;
  readonly duplicate: boolean;
}

export type WrittenResult = Written | Exclude<AppendResult, { kind: 'stored' }>;
