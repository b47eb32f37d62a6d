import {
  type EngineRecord,
  holdersAlive,
  lockFile,
  readRecord,
  type Site,
  writeRecord,
} from './engines-folder.ts';
import { exclusively } from './exclusive.ts';
import { kindOf } from './kinds/kinds.ts';
import { endNodes, numbersOf } from './node-processes.ts';
import { endProcess } from './process-identity.ts';
import { wipe } from './up.ts';

/**
 * Ends the processes of an engine, and nobody else's. Its data stays for the next `up`, unless it
 * never came up, or `wipe` is asked for. True when there was something to do.
 */
export function down(
  site: Site,
  id: string,
  options: { readonly wipe: boolean },
): Promise<boolean> {
  const kind = kindOf(id);
  return exclusively(lockFile(site, id), site.signal, async () => {
    const record = readRecord(site, id);
    if (!record) return false;
    const holders = holdersAlive(site, id);
    if (holders > 0) site.say(`${id} was in use by ${holders} running processes`);
    if (record.supervisor) await endProcess(record.supervisor, 0);
    await ended(site, record, options.wipe ? 0 : kind.stopMsMax);
    if (options.wipe || !record.formed) wipe(site, id);
    return true;
  });
}

/** Ends an engine that nobody holds any more. False when somebody does, or it is not that engine any more. */
export function downIfUnused(site: Site, id: string): Promise<boolean> {
  return exclusively(lockFile(site, id), site.signal, async () => {
    const record = readRecord(site, id);
    if (!record || record.supervisor?.pid !== process.pid || record.pinned) return true;
    if (holdersAlive(site, id) > 0) return false;
    await ended(site, record, 0);
    wipe(site, id);
    return true;
  });
}

async function ended(site: Site, record: EngineRecord, graceMs: number): Promise<void> {
  const { supervisor: _supervisor, ...rest } = await endNodes(
    site,
    record,
    numbersOf(record),
    graceMs,
  );
  writeRecord(site, rest);
}
