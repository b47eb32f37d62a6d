import { type Checkpoint, covers, type MemoryStorage, type StoredEvent } from '@annals/event-log';
import { InvariantError } from '../trace.ts';
import { type Fact, NaiveMarket } from './naive-market.ts';

/** As it stands on a card; nobody may keep it. */
export const shownCard = '4242 4242 4242 4242';

/** What no event, dead letter or answer may hold in the clear. */
const secrets: readonly string[] = [
  'sk_test_sandbox',
  'whsec_sandbox',
  'pm_card_',
  'pm_sandbox_',
  'ba_sandbox',
  'btok_',
  'Ann of the simulation',
  '4242424242424242',
  shownCard,
];

interface WalletRead {
  readonly seller: string;
  readonly asOf: Checkpoint;
}

/**
 * Looks at every event in the moment it is stored, in the order of the whole log, and at every call to a provider.
 * What is wrong is kept until the simulation asks: it must not come up in the code that is played.
 */
export class Witness {
  readonly facts: Fact[] = [];
  readonly market = new NaiveMarket();
  /** Persons whom the log says are erased. */
  readonly erased = new Set<string>();
  alarm: InvariantError | undefined;
  readonly #storage: MemoryStorage;
  readonly #secrets = [...secrets];
  readonly #seen: number[] = [];
  readonly #ids = new Set<string>();
  readonly #revisions = new Map<string, number>();
  /** Where each event stands, by its id. */
  readonly #places = new Map<string, string>();
  /** The events that reactors have written an intent for. */
  readonly #intended = new Set<string>();
  /** The event that asked for a call which was given up, by the request to try it again. */
  readonly #retries = new Map<string, string>();
  readonly #walletReads: WalletRead[] = [];

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
    storage.watch(() => this.#guarded(() => this.#look()));
  }

  /** Throws what was noticed first. */
  check(): void {
    if (this.alarm) throw this.alarm;
  }

  raise(invariant: string, detail: string): void {
    this.alarm ??= new InvariantError(invariant, detail);
  }

  sawWallet(read: WalletRead): void {
    this.#walletReads.push(read);
  }

  /** From now on this must not be seen anywhere. */
  keepSecret(secret: string): void {
    this.#secrets.push(secret);
  }

  /** A process says something: in its log, in its metrics, to a person. */
  logged(line: string): void {
    const secret = this.#secretIn(line);
    if (secret) this.raise('sealed', `${secret} is shown: ${line.slice(0, 2_000)}`);
  }

  /** A provider got a call that may change something. */
  called(path: string, key: string | null): void {
    const intent = key?.replace(/\.customer$/, '') ?? '';
    const place = this.#places.get(intent);
    if (place === undefined) {
      this.raise('intent', `${path} was called with the key ${key}, which is no event`);
    } else if (!this.#intended.has(place)) {
      this.raise('intent', `${path} was called for ${place} before that was written down`);
    }
  }

  /** The market as `checkpoint` has it. */
  marketAt(checkpoint: Checkpoint): NaiveMarket {
    const market = new NaiveMarket();
    for (const fact of this.facts) {
      if (covers(checkpoint, fact.partition, fact.position)) market.apply(fact);
    }
    return market;
  }

  #secretIn(text: string): string | undefined {
    return this.#secrets.find((one) => text.includes(one));
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.alarm ??= error;
    }
  }

  #look(): void {
    for (let partition = 0; partition < this.#storage.partitions; partition += 1) {
      const log = this.#storage.log(partition);
      for (let at = this.#seen[partition] ?? 0; at < log.length; at += 1) {
        this.#seen[partition] = at + 1;
        const event = log[at];
        if (event) this.#event(event);
      }
    }
    this.market.pages.check();
  }

  #event(event: StoredEvent): void {
    const { stream, revision, id, type, partition, position, recordedAt } = event;
    const expected = this.#revisions.get(stream) ?? 0;
    if (revision !== expected) this.raise('revisions', `${stream} has ${revision} at ${expected}`);
    this.#revisions.set(stream, revision + 1);
    if (this.#ids.has(`${stream} ${id}`)) this.raise('once', `${stream} holds ${id} twice`);
    this.#ids.add(`${stream} ${id}`);
    const secret = this.#secretIn(event.data);
    if (secret) this.raise('sealed', `${stream}@${revision} ${type} shows ${secret}`);
    const data = JSON.parse(event.data) as Fact['data'];
    const place = `${stream}@${revision}`;
    this.#places.set(id, place);
    if (type === 'effect-intended') this.#intend(`${data.stream}@${data.revision}`);
    if (type === 'call-retry-requested') {
      this.#retries.set(place, `${data.stream}@${data.revision}`);
    }
    const fact: Fact = { stream, revision, id, type, data, partition, position, recordedAt };
    if (type === 'payout-requested') this.#payout(fact);
    if (type === 'subject-erased') this.erased.add(String(data.subject));
    this.facts.push(fact);
    this.market.apply(fact);
  }

  #intend(place: string): void {
    this.#intended.add(place);
    const asked = this.#retries.get(place);
    if (asked !== undefined) this.#intended.add(asked);
  }

  /** Somebody must have read a wallet that had seen all of the seller, and held as much. */
  #payout({ stream, data }: Fact): void {
    const seller = String(data.seller_account);
    const own = this.facts.filter((fact) => fact.stream === stream);
    const isFair = this.#walletReads.some((read) => {
      if (read.seller !== seller) return false;
      const isRecent = own.every((fact) => covers(read.asOf, fact.partition, fact.position));
      if (!isRecent) return false;
      const market = this.marketAt(read.asOf);
      const available = market.owed('seller_available', seller, String(data.currency));
      return available >= BigInt(String(data.amount));
    });
    if (!isFair) this.raise('payout', `${stream}: ${data.amount} paid out of a wallet without it`);
  }
}
