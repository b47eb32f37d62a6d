import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { connect, logFileName } from './log-file.ts';
import { toEventLogError } from './sqlite-errors.ts';
import { sqliteLimits } from './sqlite-limits.ts';

export type IntegrityReport =
  | {
      readonly kind: 'sound';
      readonly events: number;
      readonly streams: number;
      /** Position of the last event, 0 when there is none. */
      readonly lastPosition: number;
    }
  /** At most `sqliteLimits.integrityProblemsMax` of them, each in words for an operator. */
  | { readonly kind: 'damaged'; readonly problems: readonly string[] };

/** What every row keeps: each query finds the rows that do not, and says what is wrong with them. */
const breaches: readonly string[] = [
  `
    SELECT 'stream ' || coalesce(name, stream_id) || ' has ' || count(*) || ' events, its revisions are '
      || min(revision) || ' to ' || max(revision)
    FROM events LEFT JOIN streams ON streams.id = stream_id
    GROUP BY stream_id HAVING min(revision) <> 0 OR max(revision) <> count(*) - 1`,
  `
    SELECT 'position ' || position || ': revision ' || revision || ' of its stream stands before an earlier one'
    FROM (SELECT position, revision,
        lag(position) OVER (PARTITION BY stream_id ORDER BY revision) AS before FROM events)
    WHERE before >= position`,
  `
    SELECT 'position ' || position || ': its stream ' || stream_id || ' is not there'
    FROM events WHERE stream_id NOT IN (SELECT id FROM streams)`,
  `
    SELECT 'position ' || position || ': its kind ' || kind_id || ' is not there'
    FROM events WHERE kind_id NOT IN (SELECT id FROM kinds)`,
  `
    SELECT 'position ' || position || ': stream ' || name || ' is filed under category ' || category
    FROM events JOIN streams ON streams.id = stream_id JOIN kinds ON kinds.id = kind_id
    WHERE substr(name, 1, length(category) + 1) <> category || '-'`,
  `
    SELECT 'position ' || position || ': ' || CASE
      WHEN length(event_id) <> 16 THEN 'its id has ' || length(event_id) || ' bytes'
      WHEN length(content_hash) <> 32 THEN 'its content hash has ' || length(content_hash) || ' bytes'
      WHEN position < 1 THEN 'positions begin at 1'
      WHEN NOT json_valid(coalesce(metadata, '{}')) THEN 'its metadata is not JSON'
      ELSE 'its data is not JSON' END
    FROM events
    WHERE length(event_id) <> 16 OR length(content_hash) <> 32 OR position < 1
      OR NOT json_valid(coalesce(metadata, '{}')) OR NOT json_valid(data)`,
];

/**
 * Looks at every page, index and event of the log in `folder`, and mends nothing. What is wrong
 * with the content is a value; a file that cannot be opened as a log throws EventLogError. Blocks
 * the calling thread while it reads: it is meant for a tool. Appends may go on meanwhile.
 */
export function checkIntegrity(folder: string): IntegrityReport {
  const path = join(folder, logFileName);
  using db = connect(folder, 'read');
  try {
    db.exec('BEGIN');
    const problems = findProblems(db);
    if (problems.length > 0) return { kind: 'damaged', problems };
    const counts = db
      .prepare(
        `SELECT count(*) AS events, coalesce(max(position), 0) AS lastPosition,
          (SELECT count(*) FROM streams) AS streams FROM events`,
      )
      .get() as { events: number; streams: number; lastPosition: number };
    return { kind: 'sound', ...counts };
  } catch (error) {
    const explained = toEventLogError(error, path);
    if ((explained as { code?: unknown }).code !== 'corrupt') throw explained;
    return { kind: 'damaged', problems: [(explained as Error).message] };
  }
}

function findProblems(db: DatabaseSync): string[] {
  const max = sqliteLimits.integrityProblemsMax;
  const ofSqlite = textsOf(db, `PRAGMA integrity_check(${max})`);
  // Where pages are broken, what they would find is only an echo of it.
  if (ofSqlite.length !== 1 || ofSqlite[0] !== 'ok') return ofSqlite;
  const problems: string[] = [];
  for (const sql of breaches) {
    if (problems.length >= max) break;
    problems.push(...textsOf(db, `SELECT * FROM (${sql}) LIMIT ${max - problems.length}`));
  }
  return problems;
}

function textsOf(db: DatabaseSync, sql: string): string[] {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return (statement.all() as unknown as [string][]).map(([text]) => text);
}
