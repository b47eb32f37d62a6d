import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { EnginesError } from './errors.ts';
import { isRunning, processIdentity } from './process-identity.ts';
import type { Environment } from './programs.ts';

/** The folder of the whole checkout. */
export const repositoryRoot = join(import.meta.dirname, '..', '..');

/** Everything that a command works with. */
export interface Site {
  /** Where engines live: one folder for each, and `locks/`. */
  readonly folder: string;
  readonly env: Environment;
  /** Told what is being done, for people who wait. */
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** `.engines` of the checkout; ANNALS_ENGINES_FOLDER names another. */
export function enginesFolder(env: Environment): string {
  return env.ANNALS_ENGINES_FOLDER ?? join(repositoryRoot, '.engines');
}

const engineNode = z.object({
  /** `kafka3/2` */
  name: z.string(),
  /** The first one is for clients. */
  ports: z.array(z.int().positive()).min(1),
  process: processIdentity.optional(),
});
export type EngineNode = z.infer<typeof engineNode>;

/** `engine.json` in the folder of an engine: what was started, and where it answers. */
const engineRecord = z.object({
  format: z.literal(1),
  id: z.string(),
  /** Whether it has answered once as a whole: only then its data means something. */
  formed: z.boolean(),
  /** Started by a person: it stays until `down`. Else it goes away after its last holder. */
  pinned: z.boolean(),
  url: z.string(),
  nodes: z.array(engineNode).min(1),
  supervisor: processIdentity.optional(),
});
export type EngineRecord = z.infer<typeof engineRecord>;

export function engineFolder(site: Site, id: string): string {
  return join(site.folder, id);
}

export function lockFile(site: Site, name: string): string {
  return join(site.folder, 'locks', `${name}.lock`);
}

/** Undefined when nothing was started. Throws `damaged-state` when the file is not what was written. */
export function readRecord(site: Site, id: string): EngineRecord | undefined {
  const path = join(engineFolder(site, id), 'engine.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return engineRecord.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${path} cannot be read: see whether its processes still run, then remove its folder`;
    throw new EnginesError('damaged-state', message, { cause });
  }
}

/** Whole or not at all: a reader never sees half a file. */
export function writeRecord(site: Site, record: EngineRecord): void {
  writeWhole(
    join(engineFolder(site, record.id), 'engine.json'),
    JSON.stringify(record, undefined, 2),
  );
}

/** The ids of all engines that have a folder here, in order. */
export function knownIds(site: Site): string[] {
  try {
    const entries = readdirSync(site.folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && readRecordFileExists(site, entry.name))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readRecordFileExists(site: Site, id: string): boolean {
  return readdirSync(engineFolder(site, id)).includes('engine.json');
}

/** Says that this process uses the engine, so that it stays. */
export function addHolder(site: Site, id: string, holder: z.infer<typeof processIdentity>): void {
  writeWhole(join(holdersFolder(site, id), String(holder.pid)), JSON.stringify(holder));
}

/** How many of the processes that said that they use the engine are still there. */
export function holdersAlive(site: Site, id: string): number {
  let names: string[];
  try {
    names = readdirSync(holdersFolder(site, id)).filter((name) => /^\d+$/.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  return names.filter((name) => {
    const text = readFileSync(join(holdersFolder(site, id), name), 'utf8');
    return isRunning(processIdentity.parse(JSON.parse(text)));
  }).length;
}

function holdersFolder(site: Site, id: string): string {
  return join(engineFolder(site, id), 'holders');
}

function writeWhole(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  const half = `${path}.${process.pid}.part`;
  writeFileSync(half, `${text}\n`);
  renameSync(half, path);
}
