import type { Books } from './books.ts';
import { listLimits } from './listing.ts';
import type { Metadata, Objects } from './objects.ts';
import { answer, invalid, type Reply } from './reply.ts';

/** The one kind that can be searched for, by its metadata; Stripe's search knows more. */
type Searchable = 'payment_intent';

/** `metadata['member']:'value'`, and several of them joined by AND. */
const clause =
  /^metadata\[(?:'([^']{1,40})'|"([^"]{1,40})")\]:(?:'([^']{1,500})'|"([^"]{1,500})")$/;

/** What is found only after the search's lag. */
export function addSearchTerms(
  books: Books,
  kind: Searchable,
  { id, metadata }: { readonly id: string; readonly metadata: Metadata },
): void {
  const visibleAt = books.nowMs + books.pace.searchLagMs;
  for (const [member, value] of Object.entries(metadata)) {
    books.storage.addSearchable(kind, termOf(member, value), id, visibleAt);
  }
}

function termOf(member: string, value: string): string {
  return `${member}\n${value}`;
}

export function searchReply(
  books: Books,
  kind: Searchable,
  {
    query,
    limit = listLimits.pageDefault,
  }: { readonly query: string; readonly limit?: number | undefined },
): Reply {
  const terms = query.split(/\s+AND\s+/).map((text) => clause.exec(text.trim()));
  const found = terms.map((term) =>
    term
      ? books.storage.search(
          kind,
          termOf(term[1] ?? term[2] ?? '', term[3] ?? term[4] ?? ''),
          books.nowMs,
          listLimits.pageMax,
        )
      : undefined,
  );
  if (found.includes(undefined)) {
    const message = "This sandbox searches by metadata['member']:'value' alone, joined by AND.";
    return invalid(message, { code: 'parameter_invalid', param: 'query' });
  }
  const [first = [], ...others] = found as string[][];
  const ids = first.filter((id) => others.every((one) => one.includes(id)));
  const data = ids.slice(0, limit).map((id): Objects[Searchable] => books.need(kind, id));
  return answer({
    object: 'search_result',
    data,
    has_more: ids.length > limit,
    next_page: null,
    url: '/v1/payment_intents/search',
  });
}
