import type { Checkpoint, Filter } from '@annals/event-log/port';
import { decodePosition, encodePosition, type Kind } from './event-rows.ts';
import { sqliteLimits } from './sqlite-limits.ts';

/** The kinds a filter lets through; `all` when nothing is left out. */
export type KindChoice = 'all' | readonly number[];

export interface Range {
  readonly after: number;
  readonly last: number;
  readonly descending: boolean;
  /** SQL that says of a row that it is not passed over; empty where none is. */
  readonly unlessPassed: string;
}

/** The part of a range one query looks at: all of it, but where the filter makes it scan. */
export function windowOf(
  { after, last, descending, unlessPassed }: Range,
  choice: KindChoice,
  scannedMax: number,
): { after: number; last: number; cut: boolean } {
  const isWide = choice !== 'all' && choice.length > sqliteLimits.mergedKindsMax;
  const scans = isWide || unlessPassed !== '';
  if (!scans || last - after <= scannedMax) {
    return { after, last, cut: false };
  }
  return descending
    ? { after: last - scannedMax, last, cut: true }
    : { after, last: after + scannedMax, cut: true };
}

export function letsThrough(filter: Filter, kind: Kind): boolean {
  return (
    (filter.categories?.includes(kind.category) ?? true) &&
    (filter.types?.includes(kind.type) ?? true)
  );
}

export function startOf(
  from: Checkpoint | 'start' | 'end',
  partition: number,
  head: number,
): Checkpoint {
  if (from === 'start') return {};
  if (from === 'end') return head === 0 ? {} : { [partition]: encodePosition(head) };
  return from;
}

export function decodeCheckpointPosition(from: Checkpoint, partition: number): number {
  const position = from[partition];
  return position === undefined ? 0 : decodePosition(position);
}
