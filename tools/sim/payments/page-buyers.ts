import { InvariantError } from '../trace.ts';
import type { Clients } from './clients.ts';
import type { NaivePage } from './naive-pages.ts';
import type { ApiProcess } from './processes.ts';
import type { Provider } from './provider.ts';
import type { World } from './world.ts';

/** Numbers of cards, as buyers type them: plain, with a question of the bank, declined, and no card at all. */
const numbers: readonly (readonly [weight: number, number: string])[] = [
  [10, '4242424242424242'],
  [5, '4000000000003220'],
  [2, '4000002760003184'],
  [2, '4000008260003178'],
  [2, '4000000000000002'],
  [1, '4111111111111111'],
];
const plain = '4242424242424242';
/** One in so many buyers never comes (again), also in fair weather, where pages do not last for days. */
const lostEach = 4;

/** So many rounds of fair weather a card may be given without being known: some minutes. */
const roundsMax = 3;

/** Buyers whom a shop has sent to a page of a provider: they give cards, answer their banks, and go away. */
export class PageBuyers {
  readonly #world: World;
  readonly #providers: readonly Provider[];
  readonly #begin: (what: string, work: Promise<unknown>) => void;
  /** Where buyers are at their banks. */
  readonly #banks: string[] = [];
  /** Pages with a card of which nobody knows here, and for how many rounds. */
  readonly #unknown = new Map<string, number>();

  constructor(
    world: World,
    providers: readonly Provider[],
    begin: (what: string, work: Promise<unknown>) => void,
  ) {
    this.#world = world;
    this.#providers = providers;
    this.#begin = begin;
  }

  /** One does something, mostly where something is to be done. */
  act(): void {
    const { random, witness } = this.#world;
    const told = [...witness.market.pages.values()].filter(({ url }) => url);
    const open = told.filter(({ state }) => state === 'opened');
    // Some come back to a page that is over, or is being closed.
    const closing = open.filter(({ isClosing }) => isClosing);
    const pages =
      closing.length > 0 && random.chance(50)
        ? closing
        : open.length > 0 && random.chance(85)
          ? open
          : told;
    if (this.#banks.length > 0 && random.chance(45)) {
      const bank = random.pick(this.#banks);
      // Now and then twice.
      if (random.chance(80)) this.#banks.splice(this.#banks.indexOf(bank), 1);
      this.#answer(bank, random.chance(75) ? 'succeeded' : 'failed');
    } else if (pages.length > 0) {
      this.#give(random.pick(pages), random.weighted(numbers));
    }
  }

  /** Fair weather: banks are answered, and whoever has not given up gives a card that does. */
  actAll(): void {
    for (const bank of this.#banks.splice(0)) this.#answer(bank, 'succeeded');
    for (const page of this.#world.witness.market.pages.values()) {
      if (page.state === 'opened' && !this.#isLost(page)) this.#give(page, plain);
    }
  }

  #isLost({ checkout }: NaivePage): boolean {
    return !this.#world.parts.http && Number(checkout.replace(/\D/g, '')) % lostEach === 0;
  }

  #give({ url = '', checkout }: NaivePage, number: string): void {
    const form = `number=${number}&expiry=12%2F49&cvc=123`;
    const work = async () => {
      const left = await this.#visit(url, form);
      const to = left?.headers.get('location') ?? '';
      if (new URL(to || url).pathname.startsWith('/sandbox/3ds/')) this.#banks.push(to);
    };
    this.#begin(`buyer of ${checkout} gives ${number.slice(-4)}`, work());
  }

  #answer(bank: string, outcome: 'succeeded' | 'failed'): void {
    this.#begin(`buyer at a page ${outcome}`, this.#visit(bank, `outcome=${outcome}`));
  }

  async #visit(url: string, form: string): Promise<Response | undefined> {
    const name = new URL(url).hostname.split('.')[0];
    return this.#providers.find((one) => one.name === name)?.visit(url, form);
  }

  /** A shop gives up: all that is to be paid on a page is canceled. */
  cancel(api: ApiProcess, clients: Clients): void {
    const { random, witness } = this.#world;
    const open = [...witness.market.pages.values()].filter(
      ({ state }) => state === 'requested' || state === 'opened',
    );
    if (open.length === 0) return;
    const page = random.pick(open);
    const { checkout } = page;
    // Some buyers give a card in the same moment.
    if (page.url && random.chance(40)) this.#give(page, plain);
    for (const { id: order } of witness.market.ordersOf(checkout)) {
      clients.send(api, clients.keyed({ kind: 'cancel', checkout, order }));
    }
  }

  /** To be called after each round of fair weather: a card that was given is known soon, whatever webhook was lost. */
  checkKnown(): void {
    for (const { checkout, psp, id = '', state } of this.#world.witness.market.pages.values()) {
      const isGiven = this.#heldStatus(psp, id) === 'complete';
      const isUnknown = state === 'opened' && isGiven && !this.#isErased(checkout);
      const rounds = isUnknown ? (this.#unknown.get(id) ?? 0) + 1 : 0;
      this.#unknown.set(id, rounds);
      if (rounds <= roundsMax) continue;
      throw new InvariantError('pages', `nobody knows that a card was given for ${checkout}`);
    }
  }

  #heldStatus(psp: string, id: string): string | undefined {
    const provider = this.#providers.find(({ name }) => name === psp);
    return provider?.sandbox.storage.get('checkout.session', id)?.status;
  }

  #isErased(checkout: string): boolean {
    return this.#world.witness.erased.has(`buyer:${checkout}`);
  }

  /** What providers hold is what is said here, page by page; and none takes a card that nothing is left to pay on. */
  check(): void {
    for (const { checkout, psp, id = '', state } of this.#world.witness.market.pages.values()) {
      const held = this.#heldStatus(psp, id);
      const wanted = {
        ...{ completed: 'complete', expired: 'expired', closed: 'expired' },
        ...{ refused: undefined, requested: 'made', opened: 'made' },
      }[state];
      // What was given by somebody who was erased since is not kept.
      if (
        held === wanted ||
        (state === 'opened' && held === 'complete' && this.#isErased(checkout))
      )
        continue;
      throw new InvariantError('pages', `${id} of ${checkout} is ${state}, and ${held} at ${psp}`);
    }
  }

  /** Pages that still take a card, in words. */
  waiting(): readonly string[] {
    const { witness } = this.#world;
    return [...witness.market.pages.values()].flatMap(({ checkout, state, psp, id = '' }) => {
      if (state === 'requested') return [`the page of ${checkout} is requested`];
      if (state !== 'opened') return [];
      const isOpen = this.#heldStatus(psp, id) === 'open';
      return isOpen || !this.#isErased(checkout) ? [`the page of ${checkout} is opened`] : [];
    });
  }
}
