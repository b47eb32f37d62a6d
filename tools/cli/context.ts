import { existsSync } from 'node:fs';
import { configFrom } from '@annals/core';
import type { EventLog } from '@annals/event-log';
import type { Projection } from '@annals/projection';
import {
  checkSiteSettings,
  dataLayout,
  type LogProgress,
  maskedUrl,
  NoDataFolderError,
  type OpenLogOptions,
  openLogAt,
  openSite,
  productOf,
  projectionNamed,
  projectionsOf,
  type Site,
  type SiteConfig,
  siteConfigOf,
  siteFields,
} from '@annals/projector';
import { masterKeyPattern } from '@annals/subject-keys';
import { z } from 'zod';
import { CommandError, exitCodes } from './exit-codes.ts';
import type { Io } from './io.ts';
import { Output } from './output.ts';
import { printable } from './printable.ts';
import { type Progress, progress } from './progress.ts';

/** What every command is given. */
export interface CommandContext {
  readonly io: Io;
  readonly output: Output;
  /** Where log, keys and read models are. */
  readonly site: SiteConfig;
  readonly yes: boolean;
  readonly json: boolean;
}

export interface GlobalOptions {
  readonly data?: string;
  readonly log?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

const siteSchema = z.object(siteFields).superRefine(checkSiteSettings);

export function contextOf(io: Io, options: GlobalOptions): CommandContext {
  const json = options.json === true;
  return {
    io,
    output: new Output(io, json),
    site: siteOf(io.env, options),
    yes: options.yes === true,
    json,
  };
}

/**
 * The site of the environment. A folder that is named on the command line is meant as a whole: what the
 * environment says of other engines is not for it.
 */
function siteOf(env: Io['env'], { data, log }: GlobalOptions): SiteConfig {
  const masterKey = env.ANNALS_MASTER_KEY || undefined;
  if (masterKey !== undefined && !masterKeyPattern.test(masterKey)) {
    const message = 'ANNALS_MASTER_KEY must be 64 hex digits';
    throw new CommandError(exitCodes.usage, 'invalid-master-key', message);
  }
  const names = data === undefined ? Object.keys(siteFields) : ['ANNALS_MASTER_KEY'];
  const settings = Object.fromEntries(
    names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  );
  if (data !== undefined) settings.ANNALS_DATA = data;
  if (log !== undefined) settings.ANNALS_LOG = log;
  const configured = configFrom(siteSchema, settings);
  if (configured.kind === 'configured') return siteConfigOf(configured.value);
  const problems = configured.problems.map(printable).join('; ');
  const named = log === undefined ? problems : problems.replace(/^ANNALS_LOG: /, '--log ');
  throw new CommandError(exitCodes.usage, 'configuration', named);
}

/** Opens the site, whose log must be there, for as long as `work` takes. */
export async function withSite<T>(
  context: CommandContext,
  work: (site: Site) => Promise<T>,
): Promise<T> {
  const site = await opened(context, (opening) => openSite(context.site, opening));
  try {
    return await work(site);
  } finally {
    await site.close();
  }
}

/** How a command opens a log: it must be there, and what happens meanwhile is told on the side. */
export function openingOf({ io, output }: CommandContext) {
  return {
    clock: io.clock,
    mustExist: true,
    onReport: (level, message) => {
      if (level !== 'info') output.remark(printable(message));
    },
  } as const satisfies Partial<OpenLogOptions>;
}

const quietOpeningMs = 500;

/**
 * What `open` opens, as a command does; a replica that takes its time to catch up is shown. Not for while something else is
 * shown.
 */
export async function opened<T>(
  context: CommandContext,
  open: (opening: Partial<OpenLogOptions> & ReturnType<typeof openingOf>) => Promise<T>,
): Promise<T> {
  const { io, json } = context;
  const beganAt = io.clock.now();
  let shown: Progress | undefined;
  const onProgress = ({ records, recordsTotal }: LogProgress) => {
    if (io.clock.now() - beganAt < quietOpeningMs) return;
    shown ??= progress(io, 'reading the log', { unit: 'records', quiet: json });
    shown.update(records, recordsTotal);
  };
  try {
    return await open({ ...openingOf(context), onProgress });
  } finally {
    shown?.stop();
  }
}

/** Opens the log alone, which must be there; for reading only, unless told to `write`. */
export async function withLog<T>(
  context: CommandContext,
  work: (log: EventLog) => Promise<T>,
  options: { readonly write: boolean } = { write: false },
): Promise<T> {
  const { dataFolder, log: place } = context.site;
  const readOnly = !options.write;
  const { log } = await opened(context, (opening) =>
    openLogAt(place, { ...opening, dataFolder, readOnly }),
  );
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

/**
 * Where the files of the log are. Throws NoDataFolderError when there are none, and CommandError for a log
 * that has none here.
 */
export function logFolderIn({ log }: SiteConfig): string {
  if (log.kind !== 'sqlite') {
    const message = `the log at ${shownLog(log)} has no files of its own here: annals log export writes it to one`;
    throw new CommandError(exitCodes.refused, 'no-log-files', message);
  }
  const folder = dataLayout(log.folder).log;
  if (!existsSync(folder)) throw new NoDataFolderError(log.folder);
  return folder;
}

/** A log for people: its folder, or its URL without a password. */
export function shownLog(log: SiteConfig['log']): string {
  return log.kind === 'sqlite' ? log.folder : maskedUrl(log.url);
}

/** The projection of this name. Throws CommandError, which names those that the site keeps. */
export function knownProjection({ site }: Pick<CommandContext, 'site'>, name: string): Projection {
  const own = projectionsOf(site);
  const projection = own.find((one) => one.name === name);
  if (projection) return projection;
  const elsewhere = projectionNamed(name);
  if (elsewhere) {
    const setting = `ANNALS_${productOf(elsewhere).toUpperCase()}_ARCHIVE`;
    const message = `this site keeps no ${name}: ${setting} says where it is`;
    throw new CommandError(exitCodes.usage, 'no-archive', message);
  }
  const known = own.map((one) => one.name).join(', ');
  throw new CommandError(
    exitCodes.usage,
    'unknown-projection',
    `there is no projection ${JSON.stringify(name.slice(0, 64))}; there is: ${known}`,
  );
}
