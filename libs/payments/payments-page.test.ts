import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { financeMoves } from './finance/state.ts';
import { accountKinds, type PostingRule, postingTable } from './journal.ts';
import {
  attemptMoves,
  checkoutStatus,
  claimMoves,
  disputeMoves,
  orderMoves,
  pageMoves,
  payoutMoves,
  refundMoves,
} from './transitions.ts';

const page = await readFile(new URL('../../docs/payments.md', import.meta.url), 'utf8');

function moves(table: { readonly [from: string]: readonly string[] }): string {
  const rows = Object.entries(table).map(([from, to]) => {
    const named = to.map((one) => `\`${one}\``).join(', ');
    return `| \`${from}\` | ${named || 'nothing: it is an end'} |`;
  });
  return ['| from | may go to |', '| --- | --- |', ...rows].join('\n');
}

function condition({ when }: PostingRule): string {
  return when ? `, where \`${when.member}\` is ${when.is}` : '';
}

function postings(): string {
  const rows = Object.entries(postingTable).flatMap(([type, rules]) => {
    if ('entry' in rules) {
      return `| \`${type}\` | each line's \`debit\` | its \`credit\` | its \`amount\` | posted |`;
    }
    return rules.map((rule) => {
      const { debit, credit, amount, balance } = rule;
      return `| \`${type}\` | \`${debit}\` | \`${credit}\` | \`${amount}\`${condition(rule)} | ${balance} |`;
    });
  });
  const head = ['| event | debit | credit | amount | balance |', '| --- | --- | --- | --- | --- |'];
  return [...head, ...rows].join('\n');
}

describe('docs/payments.md', () => {
  it.each([
    ['order', orderMoves],
    ['attempt', attemptMoves],
    ['capture or void', claimMoves],
    ['payment page', pageMoves],
    ['refund', refundMoves],
    ['dispute', disputeMoves],
    ['payout', payoutMoves],
    ['finance request', financeMoves],
  ])('prints the state table of %s as the code has it', (_, table) => {
    expect(page).toContain(moves(table));
  });

  it('prints the posting table as the code has it', () => {
    expect(page).toContain(postings());
  });

  it('says what every account is', () => {
    const accounts = page.slice(page.indexOf('## Books'));
    const described = [...accounts.matchAll(/^\| `([a-z_]+)` \| [^|`]+ \|$/gm)].map(
      ([, name]) => name,
    );
    expect(described).toEqual([...accountKinds]);
  });

  it('says what state a checkout has', () => {
    expect(checkoutStatus(['succeeded', 'captured'])).toBe('open');
    expect(checkoutStatus(['succeeded', 'succeeded'])).toBe('succeeded');
    expect(checkoutStatus(['succeeded', 'failed'])).toBe('partially_succeeded');
    expect(checkoutStatus(['expired', 'expired'])).toBe('expired');
    expect(checkoutStatus(['expired', 'canceled'])).toBe('failed');
  });
});
