import type { Expected } from '@annals/event-log/port';
import type { ReplicaEvent } from '@annals/event-log-sqlite/replica';
import type { VerdictHash } from './verdict-hash.ts';

/**
 * What a record of the topic says. One record is one append with all its events; its key is the stream.
 * `void` has no key.
 */
export type LogRecord = AppendRecord | VoidRecord | BarrierRecord;

interface Said {
  /** The format it was written in, whose rules judge it. */
  readonly format: number;
  /** 32 hex digits, new for each record: `instance` of its process, and a number. */
  readonly appendId: string;
  /** How far its process had come in this partition, and its verdict hash there. */
  readonly witness: Witness;
}

export interface Witness {
  /** -1: it had seen nothing. */
  readonly offset: number;
  readonly hash: VerdictHash;
}

export interface AppendRecord extends Said {
  readonly kind: 'append';
  readonly stream: string;
  readonly expected: Expected;
  /** The clock of its process: milliseconds since 1970. */
  readonly stampedAt: number;
  /** `recordedAt` is null where the log is to stamp it. */
  readonly events: readonly ReplicaEvent[];
}

/** The append `voids` counts as never sent, unless it stands before this record. */
export interface VoidRecord extends Said {
  readonly kind: 'void';
  readonly voids: string;
}

/**
 * Changes nothing: who reads it back has read all that was acknowledged before it was sent. The first one of a partition
 * says in how many partitions the log's streams live: a topic may be given more, and tells nobody how many it had.
 */
export interface BarrierRecord extends Said {
  readonly kind: 'barrier';
  readonly partitions?: number;
}

const founding = /^partitions=([1-9]\d{0,8})$/;

/** The key of a barrier that says so. Programs that are older take it for any barrier. */
export function foundingKey(partitions: number): string {
  return `partitions=${partitions}`;
}

/** What the key of a barrier says; undefined where it says nothing. */
export function foundingPartitions(key: Buffer | null): number | undefined {
  const found = key && founding.exec(key.toString('latin1'))?.[1];
  return found ? Number(found) : undefined;
}

const instanceDigits = 20;

/** The id of the `number`th record of the process that calls itself `instance` (20 hex digits). */
export function appendIdOf(instance: string, number: number): string {
  return instance + number.toString(16).padStart(32 - instanceDigits, '0');
}

export function isOfInstance(appendId: string, instance: string): boolean {
  return appendId.startsWith(instance);
}

export function numberOf(appendId: string): number {
  return Number.parseInt(appendId.slice(instanceDigits), 16);
}
