import { join } from 'node:path';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { appendAll, type FedScore, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { alternate, type BenchCase, type Comparison, median, ratePerSecond } from '../harness.ts';
import { type EmmettMeasured, installEmmett, measureEmmett } from '../peers/emmett.ts';
import { rebuildOnce } from '../processes/rebuilds.ts';

const players = 100_000;
const eventsPerMs = 20;
const peer = '@event-driven-io/emmett-sqlite';
const reach = '≥ 10 for append, rebuild given';

export const emmett: BenchCase = {
  name: 'emmett',
  summary: `appends and rebuild beside ${peer}`,
  run: async ({ scale, tell, prepared }) => {
    const installed = scale.installs ? await installEmmett() : undefined;
    if (!installed) {
      const why = scale.installs ? 'could not be installed here' : 'is not installed in this scale';
      return [{ work: 'append and rebuild', peer, reach, remark: `${peer} ${why}` }];
    }
    return withTemporaryFolder(async (folder) => {
      const { longRounds, stretchMs } = scale;
      const feed = new ScoreFeed({ players });
      const log = await sqliteEventLog({ folder: join(folder, 'log') });
      const append = ({ stream, event }: FedScore) => appendAll(log, stream, [event]);
      const measured: EmmettMeasured[] = [];
      const appends = await alternate(
        longRounds * 2 + 1,
        async () => ratePerSecond(stretchMs, await feed.take(stretchMs * eventsPerMs), append),
        async () => {
          const one = await measureEmmett(installed, join(folder, 'emmett.sqlite'), stretchMs);
          measured.push(one);
          tell(`emmett: ${JSON.stringify(one)}`);
          return one.appendsPerSecond;
        },
      );
      await log.close();
      const board = { players: scale.million / 10, events: scale.million };
      const rebuilt = await rebuildOnce(await prepared.log(board));
      return comparisons(appends, rebuilt.perSecond, measured);
    });
  },
};

function comparisons(
  appends: { readonly ours: number; readonly theirs: number; readonly ratio: number },
  rebuiltPerSecond: number,
  measured: readonly EmmettMeasured[],
): readonly Comparison[] {
  const replayed = median(measured.map((one) => one.replayedPerSecond));
  const failed = measured.reduce((sum, one) => sum + one.failedAppends, 0);
  return [
    {
      work: 'append, one caller, beside emmett',
      ours: { value: appends.ours, unit: 'events/s' },
      peer,
      theirs: { value: appends.theirs, unit: 'events/s' },
      ratio: appends.ratio,
      reach: '≥ 10',
      met: appends.ratio >= 10,
      ...(failed === 0
        ? {}
        : { remark: `${failed} appends of emmett failed with SQLITE_BUSY and were sent again` }),
    },
    {
      work: 'rebuild, beside emmett',
      ours: { value: rebuiltPerSecond, unit: 'events/s' },
      peer: `${peer}: its consumer, totals kept in memory`,
      theirs: { value: replayed, unit: 'events/s' },
      ratio: rebuiltPerSecond / replayed,
      reach: 'given',
    },
  ];
}
