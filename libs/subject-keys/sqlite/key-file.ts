import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type KeyWrapping, wrappedKeyBytes } from '../key-wrapping.ts';
import { limits } from '../limits.ts';
import { type ListedSubject, type StoredSubjectKey, SubjectKeyStoreError } from '../port.ts';
import { keyFileError } from './key-file-error.ts';

export const keyFileName = 'subject-keys.sqlite';

/** "ANSK" in ASCII: marks the file as ours, https://sqlite.org/pragma.html#pragma_application_id. */
const applicationId = 0x414e534b;
const formatVersion = 1;
const busyTimeoutMs = 10_000;
const checkpointPauseMs = 10;
const rotationPageKeys = 1_000;

/**
 * A row never moves and never changes its size: rows are only appended (AUTOINCREMENT), never
 * deleted, and an erase overwrites the wrapped key in its place by as many zeros. So there is one
 * copy of a wrapped key in the file, and no page split leaves another behind in free space. The index
 * moves as it likes: it holds no keys.
 */
const schema = `
  CREATE TABLE fact (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE subject_key (
    slot INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL UNIQUE,
    erased INTEGER NOT NULL CHECK (erased IN (0, 1)),
    wrapped BLOB NOT NULL CHECK (length(wrapped) = ${wrappedKeyBytes})
  ) STRICT;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`;

interface KeyRow {
  readonly slot: number;
  readonly subject: string;
  readonly erased: number;
  readonly wrapped: Uint8Array;
}

/** One connection to the key file; synchronous. Every method throws SubjectKeyStoreError. */
export class KeyFile {
  readonly file: string;
  readonly #db: DatabaseSync;
  readonly #wrapping: KeyWrapping;
  readonly #inode: string;
  readonly #statements: Statements;
  readonly #storeId: string;

  constructor(folder: string, wrapping: KeyWrapping) {
    this.file = join(folder, keyFileName);
    this.#wrapping = wrapping;
    this.#db = this.#guarded(() => openDatabase(folder, this.file));
    try {
      this.#guarded(() => prepareFile(this.#db, this.file, wrapping));
      this.#statements = this.#guarded(() => prepareStatements(this.#db));
      this.#checkMasterKey();
      this.#storeId = String(this.#fact('store_id'));
      // A process that died between an erase and its checkpoint left this undone.
      this.#guarded(() => this.#scrub());
      this.#inode = inodeOf(this.file);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  get(subjects: readonly string[]): ReadonlyMap<string, StoredSubjectKey> {
    return this.#guarded(() => {
      const rows = this.#statements.find.all(JSON.stringify(subjects)) as unknown as KeyRow[];
      return new Map(rows.map((row) => [row.subject, this.#storedKey(row)]));
    });
  }

  /** Gives a key to each subject that has no row. */
  create(subjects: readonly string[]): void {
    this.#write(() => {
      const { find, insert } = this.#statements;
      const rows = find.all(JSON.stringify(subjects)) as unknown as KeyRow[];
      const known = new Set(rows.map((row) => row.subject));
      for (const subject of subjects) {
        if (known.has(subject)) continue;
        insert.run(subject, 0, this.#wrapping.wrap(subject, randomBytes(limits.keyBytes)));
      }
    });
  }

  /** The number of keys that were there. */
  destroy(subjects: readonly string[]): number {
    const destroyed = this.#write(() => {
      const { find, insert, erase, removed } = this.#statements;
      const rows = find.all(JSON.stringify(subjects)) as unknown as KeyRow[];
      const known = new Map(rows.map((row) => [row.subject, row]));
      let keys = 0;
      for (const subject of subjects) {
        const row = known.get(subject);
        if (!row) insert.run(subject, 1, new Uint8Array(wrappedKeyBytes));
        else if (row.erased === 0) keys += Number(erase.run(row.slot).changes);
      }
      if (keys > 0 || known.size < subjects.length) removed.run();
      return keys;
    });
    this.#guarded(() => this.#scrub());
    return destroyed;
  }

  list(after: string | undefined, limit: number): readonly ListedSubject[] {
    return this.#guarded(() =>
      (this.#statements.list.all(after ?? '', limit) as unknown as KeyRow[]).map((row) => ({
        subject: row.subject,
        state: row.erased === 1 ? 'erased' : 'present',
      })),
    );
  }

  erasures(): string {
    return this.#guarded(() => {
      this.#checkPlace();
      return `${this.#storeId}.${this.#fact('removals')}`;
    });
  }

  /** Wraps every key again under another master key, in one transaction. Open stores of the old one refuse from then on. */
  rewrap(next: KeyWrapping): number {
    const rewrapped = this.#write(() => {
      let keys = 0;
      let slot = 0;
      for (;;) {
        const page = this.#statements.page.all(slot, rotationPageKeys) as unknown as KeyRow[];
        for (const row of page) {
          slot = row.slot;
          const stored = this.#storedKey(row);
          if (stored.kind === 'erased') continue;
          this.#statements.rewrap.run(next.wrap(row.subject, stored.key), row.slot);
          keys += 1;
        }
        if (page.length < rotationPageKeys) break;
      }
      this.#statements.setFact.run(next.check, 'master_key_check');
      this.#statements.removed.run();
      return keys;
    });
    this.#guarded(() => this.#scrub());
    return rewrapped;
  }

  close(): void {
    this.#db.close();
  }

  #storedKey(row: KeyRow): StoredSubjectKey {
    if (row.erased === 1) return { kind: 'erased' };
    const key = this.#wrapping.unwrap(row.subject, row.wrapped);
    if (key) return { kind: 'key', key };
    // Another process may have changed the master key since this one was opened.
    this.#checkMasterKey();
    throw new SubjectKeyStoreError(
      'corrupt',
      `${this.file}: the key in slot ${row.slot} does not open under the master key: restore the file from its backup`,
    );
  }

  #checkMasterKey(): void {
    if (this.#wrapping.isCheck(this.#fact('master_key_check') as Uint8Array)) return;
    throw new SubjectKeyStoreError(
      'wrong-master-key',
      `${this.file} was written under another master key: set the one it was made with, nothing was changed`,
    );
  }

  #checkPlace(): void {
    if (inodeOf(this.file) === this.#inode) return;
    throw new SubjectKeyStoreError(
      'replaced',
      `${this.file} was removed or replaced while it was open: restart to use what is there now`,
    );
  }

  #fact(name: string): unknown {
    return (this.#statements.fact.get(name) as { value: unknown } | undefined)?.value;
  }

  /**
   * Moves what is in the WAL to the file and cuts the WAL to no bytes, if key bytes were removed
   * since that was last done. secure_delete has zeroed them in the file, so no copy is left.
   */
  #scrub(): void {
    const due = this.#fact('removals') as number;
    if (due === this.#fact('removals_scrubbed')) return;
    const checkpoint = this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
    // SQLite waits for readers, but not for a checkpoint of another connection: that is done here.
    for (let waitedMs = 0; waitedMs < busyTimeoutMs; waitedMs += checkpointPauseMs) {
      const { busy } = checkpoint.get() as { busy: number };
      if (busy === 0) {
        this.#statements.scrubbed.run(due);
        return;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, checkpointPauseMs);
    }
    throw new SubjectKeyStoreError(
      'busy',
      `${this.file}: keys are erased, but another process kept reading and copies may be left in the WAL: erase again`,
    );
  }

  #write<T>(work: () => T): T {
    return this.#guarded(() => {
      this.#checkPlace();
      return transaction(this.#db, () => {
        this.#checkMasterKey();
        return work();
      });
    });
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw keyFileError(error, this.file);
    }
  }
}

function openDatabase(folder: string, file: string): DatabaseSync {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    // Only its owner may read it, and SQLite gives the WAL the same mode. Never opened here when it
    // exists: closing it would drop the POSIX locks of this process's other connections.
    const descriptor = openSync(file, 'wx', 0o600);
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return new DatabaseSync(file, { timeout: busyTimeoutMs });
}

function prepareFile(db: DatabaseSync, file: string, wrapping: KeyWrapping): void {
  db.exec(`
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA synchronous = FULL;
  `);
  if (!recognised(db, file)) {
    db.exec('PRAGMA journal_mode = WAL');
    transaction(db, () => {
      if (recognised(db, file)) return;
      db.exec(schema);
      const add = db.prepare('INSERT INTO fact (name, value) VALUES (?, ?)');
      add.run('store_id', randomBytes(8).toString('hex'));
      add.run('master_key_check', wrapping.check);
      add.run('removals', 0);
      add.run('removals_scrubbed', 0);
    });
  }
  const { journal_mode: mode } = db.prepare('PRAGMA journal_mode = WAL').get() as {
    journal_mode: string;
  };
  if (mode !== 'wal') {
    throw new SubjectKeyStoreError('io', `${file}: the file system does not carry a WAL`);
  }
}

/** Whether the file is a key store; false when it is empty. Throws when it is something else. */
function recognised(db: DatabaseSync, file: string): boolean {
  const { application_id: id } = db.prepare('PRAGMA application_id').get() as {
    application_id: number;
  };
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as {
    user_version: number;
  };
  if (id === applicationId) {
    if (version <= formatVersion) return true;
    throw new SubjectKeyStoreError(
      'newer-format',
      `${file} has format ${version}; this program reads up to ${formatVersion}: use a newer one`,
    );
  }
  const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as {
    tables: number;
  };
  if (id === 0 && tables === 0) return false;
  throw new SubjectKeyStoreError('not-a-key-store', `${file} is a database, but no key store`);
}

type Statements = { readonly [name in keyof typeof sql]: StatementSync };

const columns = 'slot, subject, erased, wrapped';
const sql = {
  find: `SELECT ${columns} FROM subject_key WHERE subject IN (SELECT value FROM json_each(?))`,
  page: `SELECT ${columns} FROM subject_key WHERE slot > ? ORDER BY slot LIMIT ? + 0`,
  list: `SELECT subject, erased FROM subject_key WHERE subject > ? ORDER BY subject LIMIT ? + 0`,
  insert: 'INSERT INTO subject_key (subject, erased, wrapped) VALUES (?, ?, ?)',
  erase: `UPDATE subject_key SET erased = 1, wrapped = zeroblob(${wrappedKeyBytes}) WHERE slot = ?`,
  rewrap: 'UPDATE subject_key SET wrapped = ? WHERE slot = ?',
  fact: 'SELECT value FROM fact WHERE name = ?',
  setFact: 'UPDATE fact SET value = ? WHERE name = ?',
  removed: `UPDATE fact SET value = value + 1 WHERE name = 'removals'`,
  scrubbed: `UPDATE fact SET value = max(value, ?) WHERE name = 'removals_scrubbed'`,
} as const;

function prepareStatements(db: DatabaseSync): Statements {
  return Object.fromEntries(
    Object.entries(sql).map(([name, text]) => [name, db.prepare(text)]),
  ) as unknown as Statements;
}

function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some errors, such as a full disk.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function inodeOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.dev}.${stat.ino}` : 'none';
}
