import { join } from 'node:path';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { appendAll, type FedScore, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase, ratePerSecond } from '../harness.ts';
import { RawSqlite } from '../peers/raw-sqlite.ts';

/** More than any disk syncs in a millisecond. */
const eventsPerMs = 20;
const players = 100_000;

export const appendOneCaller: BenchCase = {
  name: 'append-one-caller',
  summary: 'durable appends of one event by one caller',
  run: async ({ scale: { rounds, stretchMs } }) =>
    withTemporaryFolder(async (folder) => {
      const feed = new ScoreFeed({ players });
      const log = await sqliteEventLog({ folder: join(folder, 'log') });
      const append = ({ stream, event }: FedScore) => appendAll(log, stream, [event]);
      const ours = async () =>
        ratePerSecond(stretchMs, await feed.take(stretchMs * eventsPerMs), append);
      const compareWith = async (indexed: boolean) => {
        const raw = new RawSqlite(folder, { indexed });
        const measured = await alternate(rounds, ours, async () => {
          const scores = await feed.take(stretchMs * eventsPerMs);
          const rows = scores.map((score) => raw.rowOf(score));
          return ratePerSecond(stretchMs, rows, (row) => raw.insertOne(row));
        });
        raw.close();
        return measured;
      };
      try {
        const bare = await compareWith(false);
        const indexed = await compareWith(true);
        return [
          {
            work: 'append, one caller, durable',
            ours: { value: bare.ours, unit: 'events/s' },
            peer: 'raw node:sqlite, same pragmas, no further index, one row a transaction',
            theirs: { value: bare.theirs, unit: 'rows/s' },
            ratio: bare.ratio,
            reach: '≥ 0.7',
            met: bare.ratio >= 0.7,
            remark: `${indexed.ratio.toFixed(2)} of raw with the log's three indexes`,
          },
        ];
      } finally {
        await log.close();
      }
    }),
};
