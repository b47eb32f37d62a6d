import { join } from 'node:path';
import type { NewEvent } from '@annals/event-log';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { appendAll, type FedScore, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase, ratePerSecond } from '../harness.ts';
import { RawSqlite } from '../peers/raw-sqlite.ts';

const batchEvents = 100;
const batchesPerMs = 2;
const players = 100_000;

export const appendBatches: BenchCase = {
  name: 'append-batches',
  summary: 'durable appends of 100 events by one caller',
  run: async ({ scale: { rounds, stretchMs } }) =>
    withTemporaryFolder(async (folder) => {
      const feed = new ScoreFeed({ players });
      const log = await sqliteEventLog({ folder: join(folder, 'log') });
      const raw = new RawSqlite(folder, { indexed: true });
      try {
        const measured = await alternate(
          rounds,
          async () => {
            const batches = (await batchesOf(feed, stretchMs)).map(asAppend);
            return ratePerSecond(stretchMs, batches, ({ stream, events }) =>
              appendAll(log, stream, events),
            );
          },
          async () => {
            const batches = await batchesOf(feed, stretchMs);
            const rows = batches.map((batch) => batch.map((score) => raw.rowOf(score)));
            return ratePerSecond(stretchMs, rows, (batch) => raw.insertTogether(batch));
          },
        );
        return [
          {
            work: `append, batches of ${batchEvents}`,
            ours: { value: measured.ours * batchEvents, unit: 'events/s' },
            peer: `raw node:sqlite, same pragmas and indexes, ${batchEvents} rows a transaction`,
            theirs: { value: measured.theirs * batchEvents, unit: 'rows/s' },
            ratio: measured.ratio,
            reach: '≥ 0.8',
            met: measured.ratio >= 0.8,
          },
        ];
      } finally {
        raw.close();
        await log.close();
      }
    }),
};

/** Batches of one stream each, for both sides: an append goes to one stream. */
async function batchesOf(feed: ScoreFeed, stretchMs: number): Promise<FedScore[][]> {
  const wanted = stretchMs * batchesPerMs;
  const scores = await feed.take(wanted * batchEvents);
  const batches: FedScore[][] = [];
  for (const own of Map.groupBy(scores, (score) => score.stream).values()) {
    for (let first = 0; first + batchEvents <= own.length; first += batchEvents) {
      batches.push(own.slice(first, first + batchEvents));
    }
  }
  return batches;
}

function asAppend(batch: readonly FedScore[]): { stream: string; events: NewEvent[] } {
  return { stream: (batch[0] as FedScore).stream, events: batch.map(({ event }) => event) };
}
