import { existsSync } from 'node:fs';
import { type SqliteEventLog, sqliteEventLog } from '@annals/event-log-sqlite';
import type { Projection } from '@annals/projection';
import {
  dataLayout,
  NoDataFolderError,
  openEmbedded,
  projectionNamed,
  projections,
  type Site,
} from '@annals/projector';
import { masterKeyPattern } from '@annals/subject-keys';
import { CommandError, exitCodes } from './exit-codes.ts';
import type { Io } from './io.ts';
import { Output } from './output.ts';

/** What every command is given. */
export interface CommandContext {
  readonly io: Io;
  readonly output: Output;
  readonly dataFolder: string;
  /** `ANNALS_MASTER_KEY`; without it the key file in the data folder counts. */
  readonly masterKey: string | undefined;
  readonly yes: boolean;
  readonly json: boolean;
}

export interface GlobalOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

export function contextOf(io: Io, options: GlobalOptions): CommandContext {
  const masterKey = io.env.ANNALS_MASTER_KEY || undefined;
  if (masterKey !== undefined && !masterKeyPattern.test(masterKey)) {
    throw new CommandError(
      exitCodes.usage,
      'invalid-master-key',
      'ANNALS_MASTER_KEY must be 64 hex digits',
    );
  }
  const json = options.json === true;
  return {
    io,
    output: new Output(io, json),
    dataFolder: options.data ?? (io.env.ANNALS_DATA || './data'),
    masterKey,
    yes: options.yes === true,
    json,
  };
}

/** Opens the data folder, which must hold a log, for as long as `work` takes. */
export async function withEmbedded<T>(
  context: CommandContext,
  work: (embedded: Site) => Promise<T>,
  options: { readonly mustExist: boolean } = { mustExist: true },
): Promise<T> {
  const { dataFolder, masterKey, io } = context;
  const embedded = await openEmbedded({ dataFolder, masterKey, clock: io.clock, ...options });
  try {
    return await work(embedded);
  } finally {
    await embedded.close();
  }
}

/** Opens the log alone, which must be there; for reading only, unless told to `write`. */
export async function withLog<T>(
  { dataFolder, io }: CommandContext,
  work: (log: SqliteEventLog) => Promise<T>,
  options: { readonly write: boolean } = { write: false },
): Promise<T> {
  const folder = logFolderIn(dataFolder);
  const readOnly = !options.write;
  const log = await sqliteEventLog({ folder, readOnly, create: false, clock: io.clock });
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

/** Where the log of a data folder is. Throws NoDataFolderError when there is none. */
export function logFolderIn(dataFolder: string): string {
  const folder = dataLayout(dataFolder).log;
  if (!existsSync(folder)) throw new NoDataFolderError(dataFolder);
  return folder;
}

/** The projection of this name. Throws CommandError, which names the known ones. */
export function knownProjection(name: string): Projection {
  const projection = projectionNamed(name);
  if (projection) return projection;
  const known = projections.map((one) => one.name).join(', ');
  throw new CommandError(
    exitCodes.usage,
    'unknown-projection',
    `there is no projection ${JSON.stringify(name.slice(0, 64))}; there is: ${known}`,
  );
}
