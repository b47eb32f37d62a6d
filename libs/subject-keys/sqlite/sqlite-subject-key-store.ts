import { checkedBatch, checkedPageLimit } from '../batch.ts';
import { KeyWrapping } from '../key-wrapping.ts';
import {
  type ListedSubject,
  type StoredSubjectKey,
  type SubjectKeyStore,
  SubjectKeyStoreError,
} from '../port.ts';
import type { KeyFile } from './key-file.ts';
import { openKeyFile } from './open-key-file.ts';
import { KeyWriter } from './writer.ts';

/**
 * The embedded key store: `subject-keys.sqlite` in `folder` (WAL, synchronous=FULL, secure_delete),
 * readable only by its owner. Any number of processes may share it. Keys are wrapped under
 * `masterKey` (32 bytes). Throws SubjectKeyStoreError, `wrong-master-key` among them.
 */
export async function sqliteSubjectKeyStore(options: {
  readonly folder: string;
  readonly masterKey: Uint8Array;
}): Promise<SubjectKeyStore> {
  const file = await openKeyFile(options.folder, new KeyWrapping(options.masterKey));
  try {
    return new SqliteSubjectKeyStore(file, await KeyWriter.open(options));
  } catch (error) {
    file.close();
    throw error;
  }
}

class SqliteSubjectKeyStore implements SubjectKeyStore {
  readonly #file: KeyFile;
  readonly #writer: KeyWriter;
  #closing: Promise<void> | undefined;

  constructor(file: KeyFile, writer: KeyWriter) {
    this.#file = file;
    this.#writer = writer;
  }

  async get(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>> {
    this.#checkOpen();
    return this.#file.get(checkedBatch(subjects));
  }

  async create(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredSubjectKey>> {
    this.#checkOpen();
    const batch = checkedBatch(subjects);
    const known = this.#file.get(batch);
    const unknown = batch.filter((subject) => !known.has(subject));
    if (unknown.length === 0) return known;
    await this.#writer.create(unknown);
    return this.#file.get(batch);
  }

  async destroy(subjects: readonly string[]): Promise<number> {
    this.#checkOpen();
    return this.#writer.destroy(checkedBatch(subjects));
  }

  async list(
    options: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly ListedSubject[]> {
    this.#checkOpen();
    return this.#file.list(options.after, checkedPageLimit(options.limit));
  }

  async erasures(): Promise<string> {
    this.#checkOpen();
    return this.#file.erasures();
  }

  close(): Promise<void> {
    this.#closing ??= this.#writer.close().finally(() => this.#file.close());
    return this.#closing;
  }

  #checkOpen(): void {
    if (this.#closing) throw new SubjectKeyStoreError('closed', 'the key store is closed');
  }
}
