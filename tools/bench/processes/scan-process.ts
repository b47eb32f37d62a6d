import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * A process that reads every event of a log with node:sqlite alone, all columns in the order of
 * positions, and parses the data: the least that any replay has to do. Argument: the log's folder.
 */
export interface FromScan {
  readonly events: number;
  readonly elapsedMs: number;
  /** What the process took of the processor meanwhile, user and system. */
  readonly cpuMs: number;
}

const [folder = ''] = process.argv.slice(2);
using db = new DatabaseSync(join(folder, 'events.sqlite'), { readOnly: true });
const cpuBefore = process.cpuUsage();
const started = performance.now();
const rows = db.prepare(
  `SELECT position, stream_id, revision, kind_id, schema_version, occurred_at, recorded_at,
     event_id, content_hash, metadata, data
   FROM events ORDER BY position`,
);
rows.setReturnArrays(true);
let events = 0;
for (const row of rows.iterate() as unknown as Iterable<unknown[]>) {
  if (typeof JSON.parse(row[10] as string) === 'object') events += 1;
}
const elapsedMs = performance.now() - started;
const { user, system } = process.cpuUsage(cpuBefore);
const message: FromScan = { events, elapsedMs, cpuMs: (user + system) / 1_000 };
process.send?.(message);
process.disconnect();
