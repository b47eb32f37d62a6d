import { sha256 } from '@annals/core';
import type { Checkpoint, EventLog, StoredEvent } from './port.ts';

/** An event as every engine holds it: without its place in one engine's log. */
export type PortableEvent = Omit<StoredEvent, 'partition' | 'position'>;

/**
 * SHA-256 of one event, 64 hex digits: of the JSON array
 * `[stream, revision, id, type, schemaVersion, data, contentHash, correlationId, causationId, actor,
 * tenant, occurredAt, recordedAt]`, absent metadata as null, times in milliseconds. An array of text
 * and integers has one JSON form (RFC 8785), so two different events never have the same text.
 */
export function eventHash(event: PortableEvent): string {
  const { correlationId = null, causationId = null, actor = null, tenant = null } = event.metadata;
  return sha256(
    JSON.stringify([
      event.stream,
      event.revision,
      event.id,
      event.type,
      event.schemaVersion,
      event.data,
      event.contentHash,
      correlationId,
      causationId,
      actor,
      tenant,
      event.occurredAt,
      event.recordedAt,
    ]),
  );
}

/**
 * The hash of a log: the sum of its events' hashes modulo 2^256 (AdHash: Bellare and Micciancio,
 * 1997). Each hash names stream and revision, so the order of adding does not matter and nothing is
 * remembered for each stream. It finds damage and divergence; it is no proof against a forger.
 */
export class LogHash {
  #sum = 0n;
  #events = 0;
  #streams = 0;

  /** Adds an event that was not added before; `hash` is its `eventHash` where that is known already. */
  add(event: PortableEvent, hash = eventHash(event)): string {
    this.#sum = BigInt.asUintN(256, this.#sum + BigInt(`0x${hash}`));
    this.#events += 1;
    if (event.revision === 0) this.#streams += 1;
    return hash;
  }

  /** 64 hex digits; all zeros for no events. */
  digest(): string {
    return this.#sum.toString(16).padStart(64, '0');
  }

  get events(): number {
    return this.#events;
  }

  /** Streams whose first event was added. */
  get streams(): number {
    return this.#streams;
  }
}

/** Reads the whole log, page by page, up to the end it finds. Ends early, with what it has, on abort. */
export async function hashLog(
  log: EventLog,
  options: { readonly onProgress?: (events: number) => void; readonly signal?: AbortSignal } = {},
): Promise<LogHash> {
  const hash = new LogHash();
  let at: Checkpoint = {};
  while (options.signal?.aborted !== true) {
    const page = await log.read(at);
    for (const event of page.events) hash.add(event);
    options.onProgress?.(hash.events);
    if (page.end) break;
    at = page.checkpoint;
  }
  return hash;
}
