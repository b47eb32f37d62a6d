import type { Posting } from '../journal.ts';

/** What needs no escaping in JSON. Sellers are named by letters, digits and a few signs. */
const plainPattern = /^[\w:.-]*$/;

/** The postings of an entry as the ledger keeps them: JSON, `[[account, balance, side, minor units], …]`. */
export function postingsText(postings: readonly Posting[]): string {
  let text = '[';
  for (const { account, balance, side, amount } of postings) {
    if (text.length > 1) text += ',';
    const name = plainPattern.test(account) ? `"${account}"` : JSON.stringify(account);
    text += `[${name},"${balance}","${side}","${amount}"]`;
  }
  return `${text}]`;
}

/** The postings that `postingsText` wrote down. */
export function readPostings(text: string): readonly Posting[] {
  const lines = JSON.parse(text) as readonly (readonly [
    string,
    Posting['balance'],
    Posting['side'],
    string,
  ])[];
  return lines.map(([account, balance, side, amount]) => {
    return { account, balance, side, amount: BigInt(amount) };
  });
}
