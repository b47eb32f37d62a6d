import { existsSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { backupLog, logFileName } from '@annals/event-log-sqlite';
import { dataLayout, maskedUrl, type SiteConfig } from '@annals/projector';
import { backupSubjectKeys, keyFileName } from '@annals/subject-keys';
import type { Command } from 'commander';
import { type CommandContext, logFolderIn } from '../context.ts';
import { withExamples } from '../examples.ts';
import { CommandError, type ExitCode, exitCodes } from '../exit-codes.ts';
import { plural } from '../output.ts';
import type { Act } from '../program.ts';
import { progress } from '../progress.ts';

export function addLogBackup(log: Command, act: Act): void {
  withExamples(
    log
      .command('backup')
      .description(
        'copies the log as it is now, while the service runs; the folder is then a data folder ' +
          'of its own. Keys of personal data are not in it',
      )
      .argument('<folder>', 'a new folder, or an empty one')
      .option('--keys <folder>', 'also copy the key store, to another place')
      .action(act(backup)),
    ['annals log backup /backup/log-2026-01-31', 'the log'],
    [
      'annals log backup /backup/log-2026-01-31 --keys /vault/keys-2026-01-31',
      'and, apart from it, the keys; the master key is in neither',
    ],
    ['annals log verify --data /backup/log-2026-01-31', 'checks a backup'],
  );
}

async function backup(
  context: CommandContext,
  folder: string,
  { keys }: { readonly keys?: string },
): Promise<ExitCode> {
  const target = join(dataLayout(folder).log, logFileName);
  const keysTarget = keys === undefined ? undefined : join(keys, keyFileName);
  const { site } = context;
  const source = logFolderIn(site);
  const sourceKeys = keys === undefined ? undefined : keysFolderIn(site);
  mustBeOutside(site.dataFolder, [folder, ...(keys === undefined ? [] : [keys])]);
  if (keys !== undefined) mustBeApart(folder, keys);
  for (const file of [target, keysTarget]) {
    if (file !== undefined && existsSync(file)) throw isThere(file);
  }
  const shown = progress(context.io, 'copying', { unit: 'pages', quiet: context.json });
  const result = await backupLog(source, target, {
    onProgress: ({ pages, pagesTotal }) => shown.update(pages, pagesTotal),
  }).finally(() => shown.stop());
  if (result.kind === 'target-exists') throw isThere(result.target);
  if (keys !== undefined && keysTarget !== undefined && sourceKeys !== undefined) {
    await mkdir(keys, { recursive: true, mode: 0o700 });
    await backupSubjectKeys({ folder: sourceKeys, to: keysTarget });
  }
  const document = { folder, events: result.events, keys: keys ?? null };
  await context.output.result(document, () => {
    const withKeys = keys === undefined ? '' : `, and the key store in ${keys}`;
    return `${plural(result.events, 'event')} in ${folder}${withKeys}`;
  });
  if (keys !== undefined) {
    context.output.remark(
      'The keys open only with the master key: keep that apart from both. Expire this copy: it holds keys of people who are erased later.',
    );
  }
  return exitCodes.ok;
}

function keysFolderIn({ keys }: SiteConfig): string {
  if (keys.kind === 'sqlite') return dataLayout(keys.folder).keys;
  const message = `the keys at ${maskedUrl(keys.url)} are no files: back up their keyspace`;
  throw new CommandError(exitCodes.refused, 'no-key-files', message);
}

/** What is lost with the data folder is no backup of it. */
function mustBeOutside(dataFolder: string, targets: readonly string[]): void {
  const within = targets.find((target) => isInside(dataFolder, target));
  if (within === undefined) return;
  const message = `${within} is in the data folder ${dataFolder}: a backup goes to another place`;
  throw new CommandError(exitCodes.usage, 'backup-in-data', message);
}

/** Whether two folders are the same, or `inner` lies somewhere below `outer`; links are followed. */
function isInside(outer: string, inner: string): boolean {
  const [first] = relative(realFolder(outer), realFolder(inner)).split(sep);
  return first !== '..';
}

/** Where a folder really is, or will be once it is made. */
function realFolder(folder: string): string {
  const whole = resolve(folder);
  const above = dirname(whole);
  if (existsSync(whole)) return realpathSync(whole);
  return above === whole ? whole : join(realFolder(above), basename(whole));
}

/** Whoever finds one of the two must not find the other beside it. */
function mustBeApart(folder: string, keys: string): void {
  if (!isInside(folder, keys) && !isInside(keys, folder)) return;
  const message = `the keys go to a place of their own: ${keys} and ${folder} are one in the other`;
  throw new CommandError(exitCodes.usage, 'keys-beside-log', message);
}

function isThere(file: string): CommandError {
  const message = `${file} is there already: nothing was written`;
  return new CommandError(exitCodes.refused, 'target-exists', message);
}
