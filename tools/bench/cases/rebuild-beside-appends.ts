import { cp } from 'node:fs/promises';
import { sqliteEventLog } from '@annals/event-log-sqlite';
import { dataLayout } from '@annals/projector';
import { appendAll, type FedScore, ScoreFeed } from '../data/score-feed.ts';
import { withTemporaryFolder } from '../data/temporary-folder.ts';
import { type BenchCase, median, ratePerSecond } from '../harness.ts';
import { besideRebuild } from '../processes/rebuilds.ts';

/** What `annals rebuild --throttle` takes when it is not told. */
const throttledShare = 0.2;
const eventsPerMs = 20;

export const rebuildBesideAppends: BenchCase = {
  name: 'rebuild-beside-appends',
  summary: 'appends of one caller while a rebuild runs, throttled and not',
  run: async ({ scale, prepared }) => {
    const { stretchMs, million } = scale;
    const board = { players: million / 10, events: million };
    const source = await prepared.log(board);
    return withTemporaryFolder(async (folder) => {
      await cp(source, folder, { recursive: true });
      // Behind the matches that the log holds already.
      const feed = new ScoreFeed({ ...board, firstMatch: board.events });
      const log = await sqliteEventLog({ folder: dataLayout(folder).log });
      const append = ({ stream, event }: FedScore) => appendAll(log, stream, [event]);
      const rate = async () =>
        ratePerSecond(stretchMs, await feed.take(stretchMs * eventsPerMs), append);
      const alone: number[] = [];
      const throttled: number[] = [];
      const unthrottled: number[] = [];
      for (let round = 0; round < Math.ceil(scale.rounds / 3); round += 1) {
        alone.push(await rate());
        throttled.push(await besideRebuild(folder, throttledShare, rate));
        unthrottled.push(await besideRebuild(folder, 1, rate));
      }
      await log.close();
      const kept = (rates: readonly number[]) =>
        median(rates.map((value, round) => value / (alone[round] as number)));
      return [
        {
          work: 'append, one caller, beside a rebuild with --throttle',
          ours: { value: median(throttled), unit: 'events/s' },
          peer: 'the same without a rebuild',
          theirs: { value: median(alone), unit: 'events/s' },
          ratio: kept(throttled),
          reach: '≥ 0.85',
          met: kept(throttled) >= 0.85,
          remark: `the rebuild works ${throttledShare} of the time in a process of its own`,
        },
        {
          work: 'append, one caller, beside an unthrottled rebuild',
          ours: { value: median(unthrottled), unit: 'events/s' },
          peer: 'the same without a rebuild',
          theirs: { value: median(alone), unit: 'events/s' },
          ratio: kept(unthrottled),
          reach: 'stated',
        },
      ];
    });
  },
};
