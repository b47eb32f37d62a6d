import { canonicalJson, idFromKey, type JsonObject, newId, sha256 } from '@annals/core';
import type { AppendResult, NewEvent } from '../port.ts';

/** 2026-01-02T03:04:05.678Z. */
const occurredAt = 1_767_323_045_678;

export interface SampleContent {
  readonly type?: string;
  readonly data?: JsonObject;
  /** Stands for the nonce of encryption: other data bytes, the same content. */
  readonly nonce?: string;
}

/** An event whose content hash covers type and data, but not the nonce that its bytes hold as well, as in a seal. */
export function sampleEvent(
  { type = 'sampled', data = { points: 1 }, nonce }: SampleContent = {},
  rest: Partial<NewEvent> = {},
): NewEvent {
  return {
    id: newId(),
    type,
    schemaVersion: 1,
    data: JSON.stringify(nonce === undefined ? data : { ...data, $personal: nonce }),
    contentHash: sha256(canonicalJson([type, 1, data])),
    occurredAt,
    ...rest,
  };
}

export function sampleEvents(count: number, content: SampleContent = {}): NewEvent[] {
  return Array.from({ length: count }, () => sampleEvent(content));
}

/** The id of `key`, the same in every process. */
export function sampleId(...key: readonly (string | number)[]): string {
  return idFromKey('event log contract', ...key.map(String));
}

export type Stored = Extract<AppendResult, { kind: 'stored' }>;

/** The result of an append that the test needs stored, or an error that shows what came instead. */
export function stored(result: AppendResult): Stored {
  if (result.kind === 'stored') return result;
  throw new Error(`the append was not stored: ${JSON.stringify(result)}`);
}
