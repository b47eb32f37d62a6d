import type { Clock } from '@annals/core';
import type { GenerationSpec, GenerationStore, ProjectionStore } from '@annals/projection';
import { closedError, isNoDatabase, storeError } from './errors.ts';
import {
  createGenerationFile,
  generationPath,
  identityOf,
  openDatabase,
  projectionFolder,
  removeGenerationFiles,
  sameFile,
} from './generation-file.ts';
import { limits } from './limits.ts';
import { readMarker } from './schema.ts';
import { SqliteGeneration } from './sqlite-generation.ts';

export interface SqliteProjectionStoreOptions {
  /** The folder of all projections; each has a folder of its own in it, and in that a file per generation. */
  readonly folder: string;
  readonly projection: string;
  readonly clock: Clock;
  /** The most a generation's file may grow to, in bytes; a commit that needs more fails with `disk-full`. None unless told. */
  readonly fileBytesMax?: number;
}

/**
 * A projection's generations as SQLite files: `<folder>/<projection>/g<N>.sqlite`. All I/O is
 * synchronous on the caller's thread, so a projector should have a thread of its own.
 * Throws SqliteStoreError on broken I/O.
 */
export function sqliteProjectionStore(options: SqliteProjectionStoreOptions): ProjectionStore {
  return new SqliteProjectionStore(options);
}

class SqliteProjectionStore implements ProjectionStore {
  readonly #options: SqliteProjectionStoreOptions;
  readonly #open = new Set<SqliteGeneration>();
  readonly #folder: string;
  #closed = false;

  constructor(options: SqliteProjectionStoreOptions) {
    this.#options = options;
    this.#folder = projectionFolder(options.folder, options.projection);
  }

  async create(spec: GenerationSpec): Promise<'created' | 'exists'> {
    const path = this.#path(spec.generation);
    return this.#withErrors(path, () => createGenerationFile(path, spec));
  }

  async open(generation: number): Promise<GenerationStore | 'lost'> {
    const path = this.#path(generation);
    return this.#withErrors(path, () => this.#openFile(path));
  }

  #openFile(path: string): SqliteGeneration | 'lost' {
    const identity = identityOf(path);
    if (!identity) return 'lost';
    const database = openDatabase(path, 'read-write');
    try {
      const { fileBytesMax } = this.#options;
      if (fileBytesMax !== undefined) {
        database.exec(`PRAGMA max_page_count = ${Math.ceil(fileBytesMax / limits.pageBytes)}`);
      }
      const marker = readMarker(database);
      if (!marker || !sameFile(identityOf(path), identity)) {
        database.close();
        return 'lost';
      }
      const opened = new SqliteGeneration({
        path,
        database,
        identity,
        marker,
        clock: this.#options.clock,
        onClose: (generation) => this.#open.delete(generation),
      });
      this.#open.add(opened);
      return opened;
    } catch (error) {
      if (database.isOpen) database.close();
      if (isNoDatabase(error)) return 'lost';
      throw error;
    }
  }

  async drop(generation: number): Promise<void> {
    const path = this.#path(generation);
    this.#withErrors(path, () => removeGenerationFiles(path));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const generation of [...this.#open]) await generation.close();
  }

  #path(generation: number): string {
    if (this.#closed) throw closedError(this.#folder);
    return generationPath(this.#options.folder, this.#options.projection, generation);
  }

  #withErrors<T>(path: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw storeError(error, path);
    }
  }
}
