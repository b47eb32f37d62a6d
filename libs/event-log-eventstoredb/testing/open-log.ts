import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { EventLog } from '@annals/event-log';
import { eventstoredbEventLog } from '../index.ts';

/** How the child processes of the contract open the log of their site: each has an index of its own. */
export function openLog(argument: string): Promise<EventLog> {
  const { connection, prefix, folder } = JSON.parse(argument) as {
    readonly connection: string;
    readonly prefix: string;
    readonly folder: string;
  };
  return eventstoredbEventLog({
    connection,
    prefix,
    folder: mkdtempSync(join(folder, 'child-')),
  });
}
