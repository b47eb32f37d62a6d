import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot, type Site } from './engines-folder.ts';
import { exclusively } from './exclusive.ts';
import { program } from './programs.ts';
import { output } from './run-program.ts';

/** Engines that come as Maven dependencies; each has a folder here with its pom.xml. */
export type JarSet = 'kafka' | 'cassandra';

/**
 * The folder with all jars of a set, fetched once for each content of its pom.xml. All engines of
 * the checkout share it, wherever they keep their data. Throws `missing-program` where Maven is needed and not there.
 */
export async function jarsOf(site: Site, set: JarSet): Promise<string> {
  const pom = join(import.meta.dirname, 'kinds', set, 'pom.xml');
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  const folder = join(repositoryRoot, '.engines', 'jars', `${set}-${version}`);
  if (existsSync(folder)) return folder;
  const maven = program('mvn', site.env);
  return exclusively(`${folder}.lock`, site.signal, async () => {
    if (existsSync(folder)) return folder;
    site.say(`fetching the jars of ${set} with Maven`);
    const half = `${folder}.part`;
    rmSync(half, { recursive: true, force: true });
    mkdirSync(half, { recursive: true });
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${half}`];
    const { env, signal } = site;
    await output(maven, ['-q', '-B', '-f', pom, ...copy], { env, signal });
    // Its name says that it is whole: a fetch that was cut off leaves a `.part` behind.
    renameSync(half, folder);
    return folder;
  });
}
