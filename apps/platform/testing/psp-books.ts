/** What a sandbox PSP has in its books, asked over its own API as a stranger would. */
export interface PspBooks {
  readonly intents: readonly Intent[];
  readonly charges: readonly Charge[];
  readonly refunds: readonly Referenced[];
  readonly payouts: readonly Referenced[];
  /** By currency as ours are named. */
  readonly balances: ReadonlyMap<string, bigint>;
}

interface Listed {
  readonly id: string;
}

export interface Referenced extends Listed {
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
  readonly metadata: { readonly annals_reference?: string };
}

export interface Intent extends Referenced {
  readonly amount_received: number;
}

export interface Charge extends Listed {
  readonly payment_intent: string;
  readonly paid: boolean;
  readonly captured: boolean;
}

export class PspDesk {
  readonly #url: string;
  readonly #headers: { readonly authorization: string };

  constructor(url: string, key: string) {
    this.#url = url;
    this.#headers = { authorization: `Bearer ${key}` };
  }

  async books(): Promise<PspBooks> {
    const { available } = (await this.#ask('/v1/balance')) as {
      readonly available: readonly { readonly currency: string; readonly amount: number }[];
    };
    return {
      intents: await this.#all<Intent>('payment_intents'),
      charges: await this.#all<Charge>('charges'),
      refunds: await this.#all<Referenced>('refunds'),
      payouts: await this.#all<Referenced>('payouts'),
      balances: new Map(
        available.map(({ currency, amount }) => [currency.toUpperCase(), BigInt(amount)]),
      ),
    };
  }

  async inject(faults: readonly object[]): Promise<void> {
    for (const fault of faults) await this.#ask('/sandbox/faults', JSON.stringify(fault));
  }

  async topUp(amount: number, currency: string): Promise<void> {
    await this.#ask('/v1/topups', `amount=${amount}&currency=${currency.toLowerCase()}`);
  }

  async clearFaults(): Promise<void> {
    await fetch(`${this.#url}/sandbox/faults`, { method: 'DELETE', headers: this.#headers });
  }

  async #all<Item extends Listed>(list: string): Promise<readonly Item[]> {
    const items: Item[] = [];
    for (;;) {
      const last = items.at(-1);
      const after = last ? `&starting_after=${last.id}` : '';
      const page = (await this.#ask(`/v1/${list}?limit=100${after}`)) as {
        readonly data: readonly Item[];
        readonly has_more: boolean;
      };
      items.push(...page.data);
      if (!page.has_more) return items;
    }
  }

  async #ask(path: string, body?: string): Promise<unknown> {
    const post = body === undefined ? {} : { method: 'POST', body };
    const response = await fetch(this.#url + path, { headers: this.#headers, ...post });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}
