import { randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { GenerationSpec } from '@annals/projection';
import { limits } from './limits.ts';
import { createMarker, createState, tableSql } from './schema.ts';

const generationPattern = /^g([1-9]\d{0,8})\.sqlite$/;
const projectionPattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** The folder of one projection's generations. */
export function projectionFolder(folder: string, projection: string): string {
  if (!projectionPattern.test(projection)) {
    throw new TypeError(`a projection is named by lower-case words joined by "-": ${projection}`);
  }
  return join(folder, projection);
}

/** A file for each generation, so that generations never wait for each other's lock. */
export function generationPath(folder: string, projection: string, generation: number): string {
  const name = `g${generation}.sqlite`;
  if (!generationPattern.test(name)) throw new RangeError(`there is no generation ${generation}`);
  return join(projectionFolder(folder, projection), name);
}

/** Which file it is, whatever its name: device and inode. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

/** The identity of the file of that name, or undefined when there is none, or nothing in it. Takes some microseconds. */
export function identityOf(path: string): FileIdentity | undefined {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // The folder itself is gone and something else stands in its place.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
  return stats && stats.size > 0 ? { dev: stats.dev, ino: stats.ino } : undefined;
}

export function sameFile(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** A connection to a file that is there; never makes one. */
export function openDatabase(path: string, mode: 'read-write' | 'read-only'): DatabaseSync {
  const url = pathToFileURL(path);
  const readOnly = mode === 'read-only';
  url.searchParams.set('mode', readOnly ? 'ro' : 'rw');
  const timeout = readOnly ? limits.readerBusyMsMax : limits.busyMsMax;
  return new DatabaseSync(url, { timeout, readOnly });
}

/**
 * Makes a generation's file as a whole: it is filled under another name and appears at once, so that
 * nobody ever opens half a schema, and of two who make it one wins.
 */
export function createGenerationFile(path: string, spec: GenerationSpec): 'created' | 'exists' {
  mkdirSync(join(path, '..'), { recursive: true });
  if (existsSync(path)) return 'exists';
  const draft = `${path}.${randomUUID()}.new`;
  try {
    const database = new DatabaseSync(draft);
    try {
      database.exec(`PRAGMA page_size = ${limits.pageBytes}`);
      database.exec('PRAGMA journal_mode = WAL');
      database.exec('BEGIN');
      createMarker(database, spec);
      createState(database, spec);
      for (const table of spec.tables) database.exec(tableSql(table));
      database.exec('COMMIT');
    } finally {
      database.close();
    }
    // A WAL that a former file of this name left behind must not be read into this one.
    removeSideFiles(path);
    linkSync(draft, path);
    return 'created';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return 'exists';
    throw error;
  } finally {
    for (const suffix of ['', ...sideSuffixes]) rmSync(draft + suffix, { force: true });
  }
}

const sideSuffixes = ['-wal', '-shm', '-journal'];

function removeSideFiles(path: string): void {
  if (existsSync(path)) return;
  for (const suffix of sideSuffixes) rmSync(path + suffix, { force: true });
}

/** The files of a generation that are there: the database, its WAL and shared memory, drafts. */
export function generationFiles(path: string): string[] {
  const folder = join(path, '..');
  const name = path.slice(folder.length + 1);
  try {
    return readdirSync(folder)
      .filter((entry) => entry === name || entry.startsWith(`${name}-`) || isDraft(entry, name))
      .map((entry) => join(folder, entry));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function isDraft(entry: string, name: string): boolean {
  return entry.startsWith(`${name}.`) && /\.new(?:-[a-z]+)?$/.test(entry);
}

/** The database first: from then on the generation is lost, whenever this is interrupted. */
export function removeGenerationFiles(path: string): void {
  for (const file of generationFiles(path).sort((a, b) => a.length - b.length)) {
    try {
      unlinkSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
