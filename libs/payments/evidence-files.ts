import { idFromKey } from '@annals/core';
import { type DomainEvent, EventTypes, eventType } from '@annals/event-log';
import { z } from 'zod';
import type { ChangeMeans, NotStored } from './change.ts';
import { type Refused, refused } from './outcome.ts';
import type { EvidenceFile, EvidenceFileField, EvidenceFileType } from './psp/evidence.ts';
import { buyerSubject } from './streams.ts';

/**
 * Files of evidence: each in a stream of its own, in parts, since an event of the log has 256 KiB at most. They are stored
 * before the intent that names them, and sealed as the buyer's: a picture of a receipt says who they are.
 */

export const evidenceFileCategory = 'evidencefile';

export const evidenceFileStoreLimits = {
  /** Bytes of a file in one event: sealed and as base64 twice they are less than an event may have. */
  partBytes: 120_000,
  /** Events in one append, whose bytes are limited, too. */
  appendParts: 4,
} as const;

const evidenceFilePartKept = eventType({
  name: 'evidence-file-part-kept',
  schemaVersion: 1,
  schema: z.strictObject({
    checkout_id: z.string(),
    file_id: z.string(),
    /** From 0. */
    part: z.int().min(0),
    /** Base64. */
    data: z.string(),
  }),
  personal: { subject: ({ checkout_id }) => buyerSubject(checkout_id), fields: ['data'] },
});

export const evidenceFileEvents = new EventTypes([evidenceFilePartKept]);

/** A file that is in the log, as an intent names it. */
export interface KeptFile {
  readonly field: EvidenceFileField;
  readonly type: EvidenceFileType;
  readonly fileId: string;
  readonly bytes: number;
}

function streamOf(fileId: string): string {
  return `${evidenceFileCategory}-${fileId}`;
}

/** Stores files; those of the same request again are stored once. Afterwards all of them are in the log, or an answer says why not. */
export async function keepEvidenceFiles(
  { log, cipher }: Pick<ChangeMeans, 'log' | 'cipher'>,
  request: { readonly checkoutId: string; readonly requestId: string; readonly at: number },
  files: readonly EvidenceFile[],
): Promise<{ readonly kind: 'kept'; readonly files: readonly KeptFile[] } | Refused | NotStored> {
  const { checkoutId, requestId, at } = request;
  const kept: KeptFile[] = [];
  for (const { field, type, bytes } of files) {
    const fileId = idFromKey('evidence-file', checkoutId, requestId, field);
    const parts = partsOf(checkoutId, fileId, bytes, at);
    for (let from = 0; from < parts.length; from += evidenceFileStoreLimits.appendParts) {
      const some = parts.slice(from, from + evidenceFileStoreLimits.appendParts);
      const encoded = await evidenceFileEvents.encode(some, cipher);
      if (encoded.kind !== 'encoded') return refused('subject-erased', 'the buyer was erased');
      const result = await log.append(streamOf(fileId), encoded.events, { expected: 'any' });
      if (result.kind === 'stored') continue;
      const detail = `the file ${field} could not be stored: ${result.kind}`;
      if (result.kind === 'unknown') return { kind: 'unknown', detail };
      const isAway = result.kind === 'refused' && result.reason === 'unreachable';
      return { kind: isAway ? 'unreachable' : 'overloaded', detail };
    }
    kept.push({ field, type, fileId, bytes: bytes.byteLength });
  }
  return { kind: 'kept', files: kept };
}

function partsOf(
  checkout_id: string,
  file_id: string,
  bytes: Uint8Array,
  at: number,
): DomainEvent<typeof evidenceFilePartKept>[] {
  const { partBytes } = evidenceFileStoreLimits;
  const parts: DomainEvent<typeof evidenceFilePartKept>[] = [];
  for (let from = 0; from < bytes.byteLength; from += partBytes) {
    const part = from / partBytes;
    const data = Buffer.from(bytes.subarray(from, from + partBytes)).toString('base64');
    const { name: type } = evidenceFilePartKept;
    const id = idFromKey(type, file_id, String(part));
    parts.push({ type, id, occurredAt: at, data: { checkout_id, file_id, part, data } });
  }
  return parts;
}

/** The file as it was given; undefined where its buyer was erased. Throws where the log does not hold all of it. */
export async function readEvidenceFile(
  { log, cipher }: Pick<ChangeMeans, 'log' | 'cipher'>,
  { field, type, fileId, bytes }: KeptFile,
): Promise<EvidenceFile | undefined> {
  const chunks: Buffer[] = [];
  for (let from = 0; ; ) {
    const { events, head } = await log.readStream(streamOf(fileId), { from, limit: 100 });
    for (const { data } of await evidenceFileEvents.decode(events, cipher)) {
      if (data.data === undefined) return undefined;
      chunks.push(Buffer.from(data.data, 'base64'));
    }
    from += events.length;
    if (head === 'no-stream' || from > head) break;
  }
  const whole = Buffer.concat(chunks);
  if (whole.byteLength !== bytes) {
    throw new Error(`the file ${fileId} has ${whole.byteLength} bytes, not ${bytes}`);
  }
  return { field, type, bytes: whole };
}
