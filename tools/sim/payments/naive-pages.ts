import { InvariantError } from '../trace.ts';
import type { Fact, Members } from './naive-market.ts';

/** A page where the buyer of a checkout gives a card. */
export interface NaivePage {
  readonly checkout: string;
  readonly psp: string;
  id: string | undefined;
  url: string | undefined;
  state: 'requested' | 'opened' | 'completed' | 'expired' | 'closed' | 'refused';
  /** The provider was to close it. */
  isClosing: boolean;
  /** What every payment of the checkout has to rest on. */
  authentication: string | undefined;
  /** Nothing is left to pay, and nobody has asked for it to be closed: the same append must. */
  owesClose: boolean;
}

/** What may follow what, but for staying. */
const moves: { readonly [type: string]: readonly [from: string, to: NaivePage['state']] } = {
  'payment-page-opened': ['requested', 'opened'],
  'payment-page-completed': ['opened', 'completed'],
  'payment-page-expired': ['opened', 'expired'],
  'payment-page-closed': ['opened', 'closed'],
  'payment-page-refused': ['requested', 'refused'],
};

function must(holds: boolean, detail: string): void {
  if (!holds) throw new InvariantError('pages', detail);
}

/** The pages of a market by hand, by the checkouts that they are of. */
export class NaivePages extends Map<string, NaivePage> {
  /** True where the event is about a page, and nothing else. */
  take({ type, data, revision }: Fact): boolean {
    const checkout = String(data.checkout_id);
    const page = this.get(checkout);
    if (type === 'payment-page-requested') {
      must(!page && revision === 1, `${checkout} has a page twice, or late`);
      const begun = {
        id: undefined,
        url: undefined,
        state: 'requested',
        isClosing: false,
      } as const;
      const none = { authentication: undefined, owesClose: false };
      this.set(checkout, { checkout, psp: String(data.psp), ...begun, ...none });
      return true;
    }
    if (page) this.#mayGoOn(page, type, data);
    if (!type.startsWith('payment-page-')) return false;
    if (!page) throw new InvariantError('pages', `${type} of ${checkout}, which has none`);
    this.#move(page, type, data);
    return true;
  }

  /** To be asked after each append. */
  check(): void {
    for (const { checkout, owesClose } of this.values()) {
      must(!owesClose, `${checkout} has ended, and its page stays open`);
    }
  }

  /** To be told after each event of the checkout. */
  after(checkout: string, hasEnded: boolean): void {
    const page = this.get(checkout);
    if (page) page.owesClose = hasEnded && page.state === 'opened' && !page.isClosing;
  }

  /** No order goes on without a card, and none is charged by another one. */
  #mayGoOn({ checkout, state, authentication, psp }: NaivePage, type: string, data: Members) {
    if (type === 'order-risk-assessed') must(state === 'completed', `${checkout} has no card yet`);
    if (type !== 'attempt-requested') return;
    must(state === 'completed', `${checkout} is charged, and its page is ${state}`);
    const restsOnIt = data.authentication_id === authentication && data.psp === psp;
    must(restsOnIt, `${checkout} is charged by ${data.authentication_id}, not ${authentication}`);
  }

  #move(page: NaivePage, type: string, data: Members): void {
    const { checkout } = page;
    if (type === 'payment-page-close-requested') {
      must(page.state === 'opened', `${checkout} is to be closed, and is ${page.state}`);
      must(data.page_id === page.id && data.psp === page.psp, `${checkout}: another one is closed`);
      page.isClosing = true;
      return;
    }
    const [from, to] = moves[type] ?? [];
    must(page.state === from && to !== undefined, `${type} of ${checkout}, which is ${page.state}`);
    if (to) page.state = to;
    if (type === 'payment-page-opened') {
      page.id = String(data.page_id);
      page.url = String(data.page_url);
    } else if (type !== 'payment-page-refused') {
      // Nobody was sent to another one.
      must(data.page_id === page.id, `${type} of ${checkout} by ${data.page_id}, not ${page.id}`);
    }
    if (type === 'payment-page-closed') must(page.isClosing, `${checkout} was closed by nobody`);
    if (type === 'payment-page-completed') page.authentication = String(data.authentication_id);
  }
}
