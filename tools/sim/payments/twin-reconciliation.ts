import {
  type BooksComparison,
  booksComparison,
  type MovementPlace,
  type MovementsReadModel,
  type WalletCells,
  walletBalances,
} from '@annals/payments/reconciliation';
import type { Row } from '@annals/projection';
import { isBookedAt, type PostingOfEntry, postingsIn } from './twin-entries.ts';
import { inOrder, type TwinReads } from './twin-reads.ts';

type FoundMovement = Extract<
  Awaited<ReturnType<MovementsReadModel['movements']>>,
  { readonly kind: 'answer' }
>['movements'][number];

interface MovementRow extends Row {
  readonly stream: string;
  readonly revision: number;
}

/** Our side of the files of a day over the store twin. */
export function twinMovements(reads: TwinReads): MovementsReadModel {
  return {
    movements: ({ book, day, after, limit }) =>
      reads.answer(async (rows) => {
        const own = (await rows('movements')).filter(
          (row) => row.book === book && row.of_day === `${day} ${book}`,
        ) as MovementRow[];
        const place = after && [after.stream, after.revision];
        const found = inOrder(own, ['stream', 'revision'], { after: place, limit });
        const last = found.length < limit ? undefined : found.at(-1);
        const next: MovementPlace | undefined = last && {
          stream: last.stream,
          revision: last.revision,
        };
        return { movements: found.map(movementOf), next };
      }),
    waitFor: reads.waitFor,
  };
}

function movementOf(row: Row): FoundMovement {
  const { book, key, status, currency, at, id } = row;
  const amounts = { amount: BigInt(String(row.amount)), fee: BigInt(String(row.fee)) };
  return { book, key, status, currency, at, id, waited: 0, ...amounts } as FoundMovement;
}

const parts: { readonly [kind: string]: string } = {
  seller_pending: 'pending',
  seller_available: 'available',
  seller_reserve: 'reserved',
  seller_disputed: 'disputed',
};

/** Ledger and wallets over the store twin, compared by the code that compares those of every store. */
export function twinBooksComparison(ledger: TwinReads, wallets: TwinReads): BooksComparison {
  return booksComparison({
    wallets: (from, sellersMax) =>
      wallets.answer(async (rows) => {
        const all = (await rows('wallets')).filter((row) => String(row.seller_account) > from);
        const sellers = [...new Set(all.map((row) => String(row.seller_account)))].sort();
        const last = sellers.length < sellersMax ? undefined : sellers[sellersMax - 1];
        const own = all.filter((row) => last === undefined || String(row.seller_account) <= last);
        return { balances: walletBalances(own as unknown as WalletCells[]), last };
      }),
    accounts: ({ from, until, checkpoint }) =>
      ledger.answer(async (rows) => {
        const entries = (await rows('entries')).filter((one) => isBookedAt(one, checkpoint));
        const cells = walletCells(postingsIn(entries));
        const isAsked = ({ seller_account: seller = '' }: WalletCells) =>
          seller > from && seller <= until;
        return { balances: walletBalances(cells.filter(isAsked)) };
      }),
    waitForLedger: ledger.waitFor,
  });
}

/** What postings add to wallets, each as a row of its own. */
function walletCells(postings: readonly PostingOfEntry[]): WalletCells[] {
  return postings.flatMap(({ currency, account, balance, side, amount }) => {
    const [kind = '', ...seller] = account.split(':');
    const part = parts[kind];
    if (part === undefined || balance !== 'posted') return [];
    const signed = side === 'credit' ? String(amount) : `-${amount}`;
    return [{ seller_account: seller.join(':'), currency, [part]: signed }];
  });
}
