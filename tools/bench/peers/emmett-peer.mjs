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
const scoreOf = (number) => ({
  type: 'score-recorded',
  data: { board: 'default', user_id: `u${number}`, match_id: `m${number}`, points: 3 },
});
let events = 0;
let failedAppends = 0;
async function append(stream, scores) {
  for (;;) {
    try {
      await store.appendToStream(stream, scores);
      events += scores.length;
      return;
    } catch (error) {
      // Now and then this version meets a statement of its own that is still open; sent again it is stored.
      if (error?.code !== 'SQLITE_BUSY') throw error;
      failedAppends += 1;
    }
  }
}

// The first append makes the tables.
await append('scores-default~0', [scoreOf(0)]);
const started = performance.now();
while (performance.now() - started < Number(stretchMs)) {
  await append(`scores-default~${events % 64}`, [scoreOf(events)]);
}
const appendsPerSecond = ((events - 1) * 1_000) / (performance.now() - started);

// More to replay, quickly: a replay of some hundred events would measure how it starts.
const batches = 20;
const batchEvents = 1_000;
for (let batch = 0; batch < batches; batch += 1) {
  const scores = Array.from({ length: batchEvents }, (_, index) => scoreOf(events + index));
  await append(`scores-default~${batch}`, scores);
}

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
