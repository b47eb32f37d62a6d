import { canonicalJson, type JsonObject, sha256 } from '@annals/core';
import type { PortableEvent } from './log-hash.ts';

/** The member of stored data that holds the sealed personal fields. */
export const sealedMember = '$personal';

/** What a content hash is made of: the plaintext, so that seals, times and ids do not matter. */
export function contentText(type: string, schemaVersion: number, data: JsonObject): string {
  return canonicalJson([type, schemaVersion, data]);
}

/**
 * Whether an event's data is not what its content hash was made of: changed behind the log's back.
 * False for events with sealed data: their hash is keyed by their subject's key, and cannot be told
 * without it. It finds damage, not a forger: whoever can change data can change its hash.
 */
export function isContentChanged({
  type,
  schemaVersion,
  data,
  contentHash,
}: Pick<PortableEvent, 'type' | 'schemaVersion' | 'data' | 'contentHash'>): boolean {
  try {
    const parsed = JSON.parse(data) as JsonObject;
    if (sealedMember in parsed) return false;
    return sha256(contentText(type, schemaVersion, parsed)) !== contentHash;
  } catch {
    // No hash was ever made of what has no canonical form.
    return true;
  }
}

/** Names an event that `isContentChanged`, as a sentence. */
export function changedMessage({ id, stream, revision }: PortableEvent): string {
  return `changed: event ${id} (${stream}@${revision}): its data is not what its content hash was made of`;
}

/** A stored event was changed behind the log's back; nothing of it is passed on. */
export class ChangedEventError extends Error {
  readonly code = 'changed-event';
  constructor(event: PortableEvent) {
    super(changedMessage(event));
    this.name = 'ChangedEventError';
  }
}
