import { bankAccounts, cards } from '../core/test-tokens.ts';
import { escaped, type Page } from './page.ts';

/** The list of everything that cards and bank accounts may do here. */
export function tokensPage(): Page {
  const cardRows = cards.map(({ token, number, says }) => [token, number ?? '', says]);
  const bankRows = bankAccounts.map(({ token, says }) => [token, says]);
  const content = `<p>Cards pay by their token, or by their number on the payment page. Any date to come, any CVC.</p>
${table(['token', 'number', 'the card'], cardRows)}
<h2>Bank accounts</h2>
<p>Payouts go to these; every other <code>ba_</code> or <code>btok_</code> account is paid, too.</p>
${table(['token', 'a payout'], bankRows)}
<h2>Disputes</h2>
<p>Evidence that contains <code>winning_evidence</code> wins; other evidence loses.</p>`;
  return { status: 200, title: 'Test tokens', content };
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string) =>
    `<tr>${row.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table><thead>${cells(head, 'th')}</thead>
<tbody>${rows.map((row) => cells(row, 'td')).join('\n')}</tbody></table></div>`;
}
