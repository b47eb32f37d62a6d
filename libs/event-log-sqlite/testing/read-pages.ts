import { writeSync } from 'node:fs';
import type { Checkpoint, Filter } from '@annals/event-log';
import { sqliteEventLog } from '../index.ts';

/** `folder`: reads the log in the largest pages there are, and writes what it found as JSON. */

const log = await sqliteEventLog({ folder: process.argv[2] as string, readOnly: true });

async function readAll(filter: Filter): Promise<{ events: number; pages: number }> {
  let events = 0;
  let pages = 0;
  let at: Checkpoint = {};
  for (;;) {
    const page = await log.read(at, filter, { limit: 10_000 });
    events += page.events.length;
    pages += 1;
    if (page.end) return { events, pages };
    at = page.checkpoint;
  }
}

const found = {
  all: (await readAll({})).events,
  rareByCategory: await readAll({ categories: ['rare'] }),
  rareByType: await readAll({ types: ['seldom'] }),
};
await log.close();
writeSync(1, JSON.stringify(found));
