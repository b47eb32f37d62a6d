import { type Checkpoint, covers } from '@annals/event-log';
import type { Row } from '@annals/projection';

/** The currency of each entry, by `stream@revision` as postings name it. */
export function currencyByEntry(entries: readonly Row[]): ReadonlyMap<string, string> {
  return new Map(entries.map((one) => [`${one.stream}@${one.revision}`, String(one.currency)]));
}

/** Whether an entry of the ledger had been booked at a checkpoint. */
export function isBookedAt({ partition, position }: Row, checkpoint: Checkpoint): boolean {
  return covers(checkpoint, Number(partition), String(position));
}
