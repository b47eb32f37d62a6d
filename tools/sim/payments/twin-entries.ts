import { type Checkpoint, covers } from '@annals/event-log';
import type { Posting } from '@annals/payments';
import type { Row } from '@annals/projection';

/** One line of an entry, with what its row says of the whole. */
export interface PostingOfEntry extends Posting {
  readonly stream: string;
  readonly revision: number;
  readonly currency: string;
}

/** The postings of rows of `entries`, read from the text that they hold: `[[account, balance, side, amount], …]`. */
export function postingsIn(entries: readonly Row[]): readonly PostingOfEntry[] {
  return entries.flatMap(({ stream, revision, currency, postings }) => {
    const of = { stream: String(stream), revision: Number(revision), currency: String(currency) };
    const lines = JSON.parse(String(postings)) as readonly (readonly string[])[];
    return lines.map(([account, balance, side, amount = '']) => {
      return { ...of, account, balance, side, amount: BigInt(amount) } as PostingOfEntry;
    });
  });
}

/** Whether an entry of the ledger had been booked at a checkpoint. */
export function isBookedAt({ partition, position }: Row, checkpoint: Checkpoint): boolean {
  return covers(checkpoint, Number(partition), String(position));
}
