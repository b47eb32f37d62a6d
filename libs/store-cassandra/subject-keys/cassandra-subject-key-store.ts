import { randomBytes } from 'node:crypto';
import {
  type ListedSubject,
  limits,
  type StoredSubjectKey,
  type SubjectKeyStore,
  SubjectKeyStoreError,
  type SubjectKeyStoreErrorCode,
} from '@annals/subject-keys';
import { checkedBatch, checkedPageLimit, KeyWrapping } from '@annals/subject-keys/adapter';
import { type CassandraConnection, connectCassandra } from '../connection.ts';
import { CassandraStoreError } from '../errors.ts';
import { migrate } from '../schema.ts';
import { KeyTable, keySchema, type Wrapped } from './key-table.ts';

export interface CassandraSubjectKeyOptions {
  /** A url, or a connection that others share and that is left open. A keyspace of its own is backed up by itself. */
  readonly cassandra: string | CassandraConnection;
  /** 32 bytes; keys are wrapped under it. */
  readonly masterKey: Uint8Array;
  /** Tells key stores of one keyspace apart; `subjects` unless told. */
  readonly name?: string;
}

/**
 * Subject keys in Cassandra, for any number of processes. Throws SubjectKeyStoreError, `wrong-master-key`
 * among them. Erasing overwrites a key at once; its old bytes, wrapped, leave the files of the nodes when these are
 * compacted (README).
 */
export async function cassandraSubjectKeyStore(
  options: CassandraSubjectKeyOptions,
): Promise<SubjectKeyStore> {
  const { cassandra, masterKey, name = 'subjects' } = options;
  const wrapping = new KeyWrapping(masterKey);
  return named(async () => {
    const isOwn = typeof cassandra === 'string';
    const connection = isOwn ? await connectCassandra(cassandra) : cassandra;
    try {
      await migrate(connection, keySchema);
      const table = new KeyTable(connection, name);
      if (!wrapping.isCheck(await table.masterCheck(wrapping.check))) {
        const message = `the keys of ${name} are wrapped under another master key`;
        throw new SubjectKeyStoreError('wrong-master-key', message);
      }
      const release = isOwn ? () => connection.close() : () => Promise.resolve();
      return new CassandraSubjectKeyStore(table, wrapping, release);
    } catch (error) {
      if (isOwn) await connection.close().catch(() => undefined);
      throw error;
    }
  });
}

class CassandraSubjectKeyStore implements SubjectKeyStore {
  readonly #table: KeyTable;
  readonly #wrapping: KeyWrapping;
  readonly #release: () => Promise<void>;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(table: KeyTable, wrapping: KeyWrapping, release: () => Promise<void>) {
    this.#table = table;
    this.#wrapping = wrapping;
    this.#release = release;
  }

  get(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>> {
    return this.#call(async () => this.#unwrapped(await this.#table.get(checkedBatch(subjects))));
  }

  create(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>> {
    return this.#call(async () => {
      const batch = checkedBatch(subjects);
      const known = await this.#table.get(batch);
      const unknown = batch.filter((subject) => !known.has(subject));
      if (unknown.length === 0) return this.#unwrapped(known);
      await this.#table.enter(unknown, (subject) =>
        this.#wrapping.wrap(subject, randomBytes(limits.keyBytes)),
      );
      return this.#unwrapped(await this.#table.get(batch));
    });
  }

  destroy(subjects: readonly string[]): Promise<number> {
    return this.#call(async () => {
      const destroyed = await this.#table.erase(checkedBatch(subjects));
      // Counted after it is done, and also when nothing was left to do: who died between the two repeats it.
      await this.#table.countErasure();
      return destroyed;
    });
  }

  list(
    options: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly ListedSubject[]> {
    return this.#call(async () => {
      const listed = await this.#table.list(options.after, checkedPageLimit(options.limit));
      return listed.map(({ subject, isErased }) => ({
        subject,
        state: isErased ? 'erased' : 'present',
      }));
    });
  }

  erasures(): Promise<string> {
    return this.#call(async () => String(await this.#table.erasures()));
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(() => this.#release());
    return this.#closing;
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) throw new SubjectKeyStoreError('closed', 'the key store is closed');
    const call = named(work);
    const settled = call.catch(() => undefined).finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
    return call;
  }

  #unwrapped(wrapped: ReadonlyMap<string, Wrapped>): ReadonlyMap<string, StoredSubjectKey> {
    const keys = new Map<string, StoredSubjectKey>();
    for (const [subject, held] of wrapped) {
      if (held === 'erased') {
        keys.set(subject, { kind: 'erased' });
        continue;
      }
      const key = this.#wrapping.unwrap(subject, held);
      if (!key) throw new SubjectKeyStoreError('corrupt', 'a wrapped key was changed');
      keys.set(subject, { kind: 'key', key });
    }
    return keys;
  }
}

const byCode: { readonly [code: string]: SubjectKeyStoreErrorCode } = {
  closed: 'closed',
  overloaded: 'overloaded',
  contended: 'busy',
  'unknown-outcome': 'busy',
  'newer-format': 'newer-format',
  unreachable: 'unreachable',
  refused: 'refused',
};

/** Errors of Cassandra, as those of a key store. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CassandraStoreError)) throw error;
    const code = byCode[error.code] ?? 'io';
    throw new SubjectKeyStoreError(code, error.message, { cause: error });
  }
}
