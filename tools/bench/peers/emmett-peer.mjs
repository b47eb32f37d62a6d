// Runs inside the folder where emmett-sqlite was installed: appends for a while with one caller, then
// consumes everything once. Prints one line of JSON. Plain JavaScript: it is no part of the workspace.
import { rmSync } from 'node:fs';
// biome-ignore lint/correctness/noUndeclaredDependencies: installed beside this script, on demand.
import { getSQLiteEventStore } from '@event-driven-io/emmett-sqlite';

const [fileName, stretchMs] = process.argv.slice(2);
for (const suffix of ['', '-wal', '-shm']) rmSync(fileName + suffix, { force: true });
// The store prints the errors it throws.
globalThis.console.log = () => undefined;
const store = getSQLiteEventStore({ schema: { autoMigration: 'CreateOrUpdate' }, fileName });
const started = performance.now();
let events = 0;
let failedAppends = 0;
while (performance.now() - started < Number(stretchMs)) {
  const data = { board: 'default', user_id: `u${events}`, match_id: `m${events}`, points: 3 };
  try {
    await store.appendToStream(`scores-default~${events % 64}`, [{ type: 'score-recorded', data }]);
    events += 1;
  } catch (error) {
    // Now and then this version meets a statement of its own that is still open; sent again it is stored.
    if (error?.code !== 'SQLITE_BUSY') throw error;
    failedAppends += 1;
  }
}
const appendsPerSecond = (events * 1_000) / (performance.now() - started);

const totals = new Map();
const consumer = store.consumer();
const began = performance.now();
let seen = 0;
consumer.processor({
  processorId: 'totals',
  eachMessage: ({ data }) => {
    totals.set(data.user_id, (totals.get(data.user_id) ?? 0) + data.points);
    seen += 1;
    if (seen < events) return;
    const replayedPerSecond = (seen * 1_000) / (performance.now() - began);
    const measured = { appendsPerSecond, failedAppends, replayedPerSecond };
    process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0));
  },
});
await consumer.start();
