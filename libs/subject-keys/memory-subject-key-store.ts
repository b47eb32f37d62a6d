import { randomBytes } from 'node:crypto';
import { checkedBatch, checkedPageLimit } from './batch.ts';
import { limits } from './limits.ts';
import {
  type ListedSubject,
  type StoredSubjectKey,
  type SubjectKeyStore,
  SubjectKeyStoreError,
} from './port.ts';
import type { RandomBytes } from './sealing.ts';

/** What outlives a store: every store opened on the same one is a process on the same files. */
export interface MemorySubjectKeys {
  readonly keys: Map<string, StoredSubjectKey>;
  erasures: number;
}

export function memorySubjectKeys(): MemorySubjectKeys {
  return { keys: new Map(), erasures: 0 };
}

/** Where a fault can be injected: before anything was changed, or after it is durable and before the caller hears of it. */
export type MemoryFaultPoint = `${'before' | 'after'} ${'get' | 'create' | 'destroy'}`;

export interface MemorySubjectKeyOptions {
  readonly shared?: MemorySubjectKeys;
  readonly randomBytes?: RandomBytes;
  /** Called at every fault point; throws to break the operation there. */
  readonly fault?: (point: MemoryFaultPoint) => void;
}

/** The in-memory twin, for tests and the simulation: it keeps the contract, within one process. */
export function memorySubjectKeyStore(options: MemorySubjectKeyOptions = {}): SubjectKeyStore {
  return new MemorySubjectKeyStore(options);
}

class MemorySubjectKeyStore implements SubjectKeyStore {
  readonly #shared: MemorySubjectKeys;
  readonly #random: RandomBytes;
  readonly #fault: (point: MemoryFaultPoint) => void;
  #closed = false;

  constructor(options: MemorySubjectKeyOptions) {
    this.#shared = options.shared ?? memorySubjectKeys();
    this.#random = options.randomBytes ?? randomBytes;
    this.#fault = options.fault ?? (() => undefined);
  }

  async get(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>> {
    this.#checkOpen();
    const batch = checkedBatch(subjects);
    this.#fault('before get');
    const found = this.#entriesOf(batch);
    this.#fault('after get');
    return found;
  }

  async create(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>> {
    this.#checkOpen();
    const batch = checkedBatch(subjects);
    this.#fault('before create');
    for (const subject of batch) {
      if (this.#shared.keys.has(subject)) continue;
      this.#shared.keys.set(subject, { kind: 'key', key: this.#random(limits.keyBytes) });
    }
    this.#fault('after create');
    return this.#entriesOf(batch);
  }

  async destroy(subjects: readonly string[]): Promise<number> {
    this.#checkOpen();
    const batch = checkedBatch(subjects);
    this.#fault('before destroy');
    let destroyed = 0;
    for (const subject of batch) {
      if (this.#shared.keys.get(subject)?.kind === 'key') destroyed += 1;
      this.#shared.keys.set(subject, { kind: 'erased' });
    }
    this.#shared.erasures += 1;
    this.#fault('after destroy');
    return destroyed;
  }

  async list(
    options: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly ListedSubject[]> {
    this.#checkOpen();
    const { after } = options;
    const size = checkedPageLimit(options.limit);
    return [...this.#shared.keys]
      .filter(([subject]) => after === undefined || compareUtf8(subject, after) > 0)
      .sort(([a], [b]) => compareUtf8(a, b))
      .slice(0, size)
      .map(([subject, { kind }]) => ({ subject, state: kind === 'key' ? 'present' : 'erased' }));
  }

  async erasures(): Promise<string> {
    this.#checkOpen();
    return String(this.#shared.erasures);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #entriesOf(subjects: readonly string[]): ReadonlyMap<string, StoredSubjectKey> {
    const found = new Map<string, StoredSubjectKey>();
    for (const subject of subjects) {
      const entry = this.#shared.keys.get(subject);
      if (entry) found.set(subject, entry);
    }
    return found;
  }

  #checkOpen(): void {
    if (this.#closed) throw new SubjectKeyStoreError('closed', 'the key store is closed');
  }
}

function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
