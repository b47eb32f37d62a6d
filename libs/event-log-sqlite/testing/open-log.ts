import type { EventLog } from '@annals/event-log';
import { sqliteEventLog } from '../index.ts';

/** How the child processes of the contract open the log of their site: `folder` is their argument. */
export function openLog(folder: string): Promise<EventLog> {
  return sqliteEventLog({ folder });
}
