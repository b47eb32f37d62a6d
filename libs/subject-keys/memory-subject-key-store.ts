import { randomBytes } from 'node:crypto';
import { checkedBatch, checkedPageLimit } from './batch.ts';
import { limits } from './limits.ts';
import { type StoredSubjectKey, type SubjectKeyStore, SubjectKeyStoreError } from './port.ts';
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

/**
 * The in-memory twin, for tests and the simulation: it keeps the contract, within one process.
 * `fault` is called at every fault point and throws to break the operation there.
 */
export function memorySubjectKeyStore(
  options: {
    readonly shared?: MemorySubjectKeys;
    readonly randomBytes?: RandomBytes;
    readonly fault?: (point: MemoryFaultPoint) => void;
  } = {},
): SubjectKeyStore {
  const shared = options.shared ?? memorySubjectKeys();
  const random = options.randomBytes ?? randomBytes;
  const fault = options.fault ?? (() => undefined);
  let closed = false;

  const open = () => {
    if (closed) throw new SubjectKeyStoreError('closed', 'the key store is closed');
  };
  const entriesOf = (subjects: readonly string[]) => {
    const found = new Map<string, StoredSubjectKey>();
    for (const subject of subjects) {
      const entry = shared.keys.get(subject);
      if (entry) found.set(subject, entry);
    }
    return found;
  };

  return {
    get: async (subjects) => {
      open();
      const batch = checkedBatch(subjects);
      fault('before get');
      const found = entriesOf(batch);
      fault('after get');
      return found;
    },
    create: async (subjects) => {
      open();
      const batch = checkedBatch(subjects);
      fault('before create');
      for (const subject of batch) {
        if (shared.keys.has(subject)) continue;
        shared.keys.set(subject, { kind: 'key', key: random(limits.keyBytes) });
      }
      fault('after create');
      return entriesOf(batch);
    },
    destroy: async (subjects) => {
      open();
      const batch = checkedBatch(subjects);
      fault('before destroy');
      let destroyed = 0;
      for (const subject of batch) {
        if (shared.keys.get(subject)?.kind === 'key') destroyed += 1;
        shared.keys.set(subject, { kind: 'erased' });
      }
      shared.erasures += 1;
      fault('after destroy');
      return destroyed;
    },
    list: async ({ after, limit } = {}) => {
      open();
      const size = checkedPageLimit(limit);
      return [...shared.keys]
        .filter(([subject]) => after === undefined || compareUtf8(subject, after) > 0)
        .sort(([a], [b]) => compareUtf8(a, b))
        .slice(0, size)
        .map(([subject, { kind }]) => ({ subject, state: kind === 'key' ? 'present' : 'erased' }));
    },
    erasures: async () => {
      open();
      return String(shared.erasures);
    },
    close: async () => {
      closed = true;
    },
  };
}

function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
