import type { EventLog, StoredEvent } from '../port.ts';
import { categoryOf } from '../stream-name.ts';
import { digestCategory, type LogDigest, type SignedRange } from './events.ts';
import { digestsOf } from './keeper.ts';
import { isSigned, rangeHash } from './signing.ts';

/** A signed range of a stream that was not seen to its end yet. */
interface OpenRange extends SignedRange {
  readonly digest: number;
  readonly hashes: string[];
}

export interface DigestsChecked {
  readonly digests: number;
  /** Events that a digest has signed. */
  readonly signedEvents: number;
  /** The public keys that the digests name. */
  readonly publicKeys: readonly string[];
  readonly problems: readonly string[];
}

/**
 * Compares a log with its digests while it is read from beginning to end. Digests are taken in as events come that they
 * are about; of each stream only what is not complete yet is kept.
 */
export class DigestCheck {
  readonly #digests: AsyncIterator<LogDigest>;
  readonly #trusted: ReadonlySet<string>;
  readonly #problemsMax: number;
  readonly #open = new Map<string, OpenRange[]>();
  /** The last revision of each stream that the digests taken in have signed. */
  readonly #signedTo = new Map<string, number>();
  readonly #keys = new Set<string>();
  readonly #problems: string[] = [];
  #last: LogDigest | undefined;
  #atEnd = false;
  #digestCount = 0;
  #signedEvents = 0;

  /** `trusted`: public keys that may sign; without any the signatures are only compared with the keys that they name. */
  constructor(
    log: Pick<EventLog, 'readStream'>,
    {
      trusted = [],
      problemsMax = 20,
    }: { readonly trusted?: readonly string[]; readonly problemsMax?: number } = {},
  ) {
    this.#digests = digestsOf(log)[Symbol.asyncIterator]();
    this.#trusted = new Set(trusted);
    this.#problemsMax = problemsMax;
  }

  /** Takes the next event of the log; `hash` is its `eventHash`. */
  async add({ stream, revision }: StoredEvent, hash: string): Promise<void> {
    if (categoryOf(stream) === digestCategory) return;
    while (!this.#atEnd && revision > (this.#signedTo.get(stream) ?? -1)) await this.#next();
    const ranges = this.#open.get(stream);
    const range = ranges?.find(({ from, to }) => revision >= from && revision <= to);
    if (!ranges || !range) return;
    range.hashes.push(hash);
    this.#signedEvents += 1;
    if (revision < range.to) return;
    ranges.splice(ranges.indexOf(range), 1);
    if (ranges.length === 0) this.#open.delete(stream);
    this.#compare(range);
  }

  /** After the last event. */
  async finish(): Promise<DigestsChecked> {
    while (!this.#atEnd) await this.#next();
    for (const range of [...this.#open.values()].flat()) this.#compare(range);
    return {
      digests: this.#digestCount,
      signedEvents: this.#signedEvents,
      publicKeys: [...this.#keys],
      problems: this.#problems,
    };
  }

  #compare({ stream, from, to, hash, hashes, digest }: OpenRange): void {
    const named = `events ${from} to ${to} of ${stream}`;
    const missing = to - from + 1 - hashes.length;
    if (missing > 0) this.#problem(`digest ${digest}: of ${named} ${missing} are missing`);
    else if (rangeHash(hashes) !== hash) {
      this.#problem(`digest ${digest}: ${named} are not what was signed: at least one was changed`);
    }
  }

  async #next(): Promise<void> {
    const { value, done } = await this.#digests.next();
    if (done) {
      this.#atEnd = true;
      return;
    }
    const digest: LogDigest = value;
    this.#checkDigest(digest);
    this.#last = digest;
    this.#digestCount += 1;
    this.#keys.add(digest.public_key);
    for (const range of digest.ranges) {
      const { stream, from, to } = range;
      const expected = (this.#signedTo.get(stream) ?? -1) + 1;
      if (from !== expected) {
        this.#problem(`digest ${digest.number}: ${stream} goes on at ${from}, not at ${expected}`);
      }
      this.#signedTo.set(stream, to);
      const open = this.#open.get(stream);
      const taken: OpenRange = { ...range, digest: digest.number, hashes: [] };
      if (open) open.push(taken);
      else this.#open.set(stream, [taken]);
    }
  }

  #checkDigest(digest: LogDigest): void {
    const { number, previous, public_key } = digest;
    const expected = (this.#last?.number ?? 0) + 1;
    if (number !== expected) this.#problem(`digest ${number} comes where ${expected} should be`);
    if (previous !== (this.#last?.signature ?? '')) {
      this.#problem(`digest ${number} does not follow the one before it`);
    }
    if (!isSigned(digest)) this.#problem(`digest ${number}: its signature is not of its key`);
    else if (this.#trusted.size > 0 && !this.#trusted.has(public_key)) {
      this.#problem(`digest ${number} is signed by a key that is not trusted: ${public_key}`);
    }
  }

  #problem(text: string): void {
    if (this.#problems.length < this.#problemsMax) this.#problems.push(text);
  }
}
