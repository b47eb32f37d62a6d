import type { NewEvent } from '../port.ts';
import { sampleEvent, sampleId } from './sample-events.ts';

/** What the writing child is told. */
export interface KillWriterTask {
  readonly module: string;
  readonly argument: string;
  readonly lane: number;
  /** Number of its first append; a multiple of `killStreams`. */
  readonly first: number;
}

/** Streams of one lane, each written by one caller of the child. */
export const killStreams = 4;

export function killStream(lane: number, append: number): string {
  return `kill-${lane}-${append % killStreams}`;
}

/** The events of append number `append`: the same in every process, so that a resend is one. */
export function killEvents(lane: number, append: number): NewEvent[] {
  const of = 1 + (append % 3);
  return Array.from({ length: of }, (_, part) =>
    sampleEvent({ data: { append, part, of } }, { id: sampleId('kill', lane, append, part) }),
  );
}
