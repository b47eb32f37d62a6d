import { sqliteEventLog } from '@annals/event-log-sqlite';
import { appendAll, type FedScore, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase, ratePerSecond } from '../harness.ts';

const callers = 64;
const eventsPerMs = 100;
const players = 100_000;

export const appendManyCallers: BenchCase = {
  name: 'append-many-callers',
  summary: 'durable appends by 64 callers at once beside those of one',
  run: async ({ scale: { rounds, stretchMs } }) =>
    withTemporaryFolder(async (folder) => {
      const feed = new ScoreFeed({ players });
      const log = await sqliteEventLog({ folder });
      const rateOf = async (many: number) =>
        ratePerSecond(
          stretchMs,
          await feed.take(stretchMs * eventsPerMs),
          ({ stream, event }: FedScore) => appendAll(log, stream, [event]),
          many,
        );
      try {
        const measured = await alternate(
          rounds,
          () => rateOf(callers),
          () => rateOf(1),
        );
        const { appends, commits } = log.statistics();
        return [
          {
            work: `append, ${callers} callers, durable`,
            ours: { value: measured.ours, unit: 'events/s' },
            peer: 'the same with one caller',
            theirs: { value: measured.theirs, unit: 'events/s' },
            ratio: measured.ratio,
            reach: '≥ 4',
            met: measured.ratio >= 4,
            remark: `${(appends / commits).toFixed(1)} appends a transaction over both`,
          },
        ];
      } finally {
        await log.close();
      }
    }),
};
