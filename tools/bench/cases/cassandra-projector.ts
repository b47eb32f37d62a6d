import { systemClock } from '@annals/core';
import type { StoredEvent } from '@annals/event-log';
import { leaderboardProjection } from '@annals/leaderboard';
import type { Row, RowKey } from '@annals/projection';
import { cassandraProjectionStore } from '@annals/store-cassandra';
import { LiveProjector } from '../data/live-projector.ts';
import { alternate, type BenchCase } from '../harness.ts';
import { RawCassandra, type RawTable, startCassandra } from '../peers/cassandra.ts';

/** As many as the store has on their way. */
const concurrency = 256;
const orderPartitions = 8;
const reach = 0.7;

const scoreColumns = { board: 'text', period: 'text', user_id: 'text' } as const;
const reached = { standing: 'integer', reached_at: 'integer', reached_by: 'text' } as const;
const scores: RawTable = {
  name: 'raw_scores',
  columns: {
    ...{ ...scoreColumns, ...reached, score: 'integer' },
    ...{ matches: 'integer', last_revision: 'integer' },
  },
  partition: Object.keys(scoreColumns),
  sorted: [],
};
const entries: RawTable = {
  name: 'raw_entries',
  columns: {
    ...{ stream: 'text', revision: 'integer', status: 'text' },
    ...{ total: 'integer', previous: 'integer' },
  },
  partition: ['stream'],
  sorted: ['revision'],
};
const standings: RawTable = {
  name: 'raw_standings',
  columns: { ...scoreColumns, ...reached, shard: 'integer' },
  partition: ['board', 'period', 'shard'],
  sorted: [...Object.keys(reached), 'user_id'],
};

export const cassandraProjector: BenchCase = {
  name: 'cassandra-projector',
  summary: 'the leaderboard’s projector on Cassandra beside executeConcurrent of the same rows',
  run: async ({ scale, tell }) => {
    const work = 'projector on Cassandra: scores, entries and the sorted board';
    const cassandra = await startCassandra(tell);
    const peer = `executeConcurrent of cassandra-driver, ${concurrency} at once`;
    if (cassandra.kind === 'missing') {
      return [{ work, peer, reach: `≥ ${reach}`, remark: cassandra.reason }];
    }
    const events = Math.max(100, scale.million / 25);
    const raw = new RawCassandra(cassandra.url);
    const projection = leaderboardProjection.name;
    const where = { cassandra: cassandra.url, projection, clock: systemClock };
    const projector = await LiveProjector.start(cassandraProjectionStore(where), events / 2);
    try {
      await raw.open([scores, entries, standings]);
      let written: readonly { readonly table: RawTable; readonly row: Row }[] = [];
      // Both begin with a board that is there: rows are changed, not only added.
      await projector.project(await projector.take(events));
      await projector.stored();
      const ours = async () => {
        const taken = await projector.take(events);
        const started = performance.now();
        await projector.project(taken);
        const seconds = (performance.now() - started) / 1_000;
        written = await rowsOf(projector, await projector.stored());
        return written.length / seconds;
      };
      const theirs = async () => {
        const started = performance.now();
        await raw.write(written, concurrency);
        return (written.length * 1_000) / (performance.now() - started);
      };
      const compared = await alternate(scale.longRounds, ours, theirs);
      return [
        {
          work,
          ours: { value: compared.ours, unit: 'rows/s' },
          peer,
          theirs: { value: compared.theirs, unit: 'rows/s' },
          ratio: compared.ratio,
          reach: `≥ ${reach}`,
          met: compared.ratio >= reach,
          remark:
            `${events} events of ${events / 2} players a round, from a log in memory to the checkpoint; ` +
            'ours with the former places removed, ranks, journal and decisions, in the same node',
        },
      ];
    } finally {
      await projector.stop();
      await raw.close();
    }
  },
};

/** The rows that these events led to. */
async function rowsOf(
  { generation }: LiveProjector,
  stored: readonly StoredEvent[],
): Promise<readonly { readonly table: RawTable; readonly row: Row }[]> {
  const load = async (keys: readonly RowKey[]) =>
    (await generation.load(keys)).filter((row) => row !== undefined);
  const players = new Map(
    stored.map(({ data }) => {
      const { board, period, user_id } = JSON.parse(data) as { readonly [key: string]: string };
      return [String(user_id), [String(board), String(period), String(user_id)]];
    }),
  );
  const rows = await load([...players.values()].map((key) => ({ table: 'scores', key })));
  const matches = await load(
    stored.map(({ stream, revision }) => ({ table: 'entries', key: [stream, revision] })),
  );
  return [
    ...rows.map((row) => ({ table: scores, row })),
    ...rows.map((row, n) => ({ table: standings, row: { ...row, shard: n % orderPartitions } })),
    ...matches.map((row) => ({ table: entries, row })),
  ];
}
