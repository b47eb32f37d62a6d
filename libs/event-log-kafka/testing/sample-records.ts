import { randomBytes } from 'node:crypto';
import type { Expected, NewEvent } from '@annals/event-log';
import { sampleEvent } from '@annals/event-log/contract';
import type { TopicRecord } from '../partition-follower.ts';
import { appendIdOf, type Witness } from '../record.ts';
import { encodeFormat1, type RecordToEncode } from '../record-format-1.ts';
import { noVerdicts } from '../verdict-hash.ts';

export const instance = 'ab'.repeat(10);
export const unwitnessed: Witness = { offset: -1, hash: noVerdicts };

export function freshAppendId(): string {
  return appendIdOf(randomBytes(10).toString('hex'), 1);
}

export function appendRecord(
  offset: number,
  stream: string,
  said: {
    readonly expected?: Expected;
    readonly events?: readonly NewEvent[];
    readonly appendId?: string;
    readonly stampedAt?: number;
    readonly witness?: Witness;
    readonly encode?: (record: RecordToEncode) => Buffer;
  } = {},
): TopicRecord {
  const { encode = encodeFormat1 } = said;
  const value = encode({
    kind: 'append',
    appendId: said.appendId ?? freshAppendId(),
    witness: said.witness ?? unwitnessed,
    expected: said.expected ?? 'any',
    stampedAt: said.stampedAt ?? 1_000 + offset,
    events: said.events ?? [sampleEvent()],
  });
  return { offset, key: Buffer.from(stream), value };
}

export function voidRecord(offset: number, voids: string, appendId = freshAppendId()): TopicRecord {
  const value = encodeFormat1({ kind: 'void', appendId, witness: unwitnessed, voids });
  return { offset, key: null, value };
}
