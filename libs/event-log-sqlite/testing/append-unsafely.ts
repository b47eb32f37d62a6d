import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * What a log must not do: SQLite on its own with `synchronous = NORMAL`, which does not sync a
 * commit. It proves that the look at the trace can tell.
 */

const [, , folder, appends] = process.argv;
const db = new DatabaseSync(join(folder as string, 'events.sqlite'));
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE events (data TEXT)');
const insert = db.prepare('INSERT INTO events VALUES (?)');
for (let append = 0; append < Number(appends); append += 1) {
  insert.run(`event ${append}`);
  writeSync(1, `acknowledged ${append}\n`);
}
db.close();
