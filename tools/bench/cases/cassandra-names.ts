import { randomUUID } from 'node:crypto';
import { systemClock } from '@annals/core';
import {
  cassandraLeaderboardReadModel,
  type LeaderboardReadModel,
  type LiveCassandraGeneration,
  leaderboardProjection,
} from '@annals/leaderboard';
import type { RowChange } from '@annals/projection';
import {
  type CassandraReads,
  cassandraLiveReader,
  cassandraProjectionStore,
} from '@annals/store-cassandra';
import { commitPlayers, generationToFill } from '../data/fill-generation.ts';
import { playerId } from '../data/score-feed.ts';
import { alternate, type BenchCase, type Comparison, ratePerSecond } from '../harness.ts';
import { startCassandra } from '../peers/cassandra.ts';

/** Questions that are on their way at once, and more of them than a stretch has time for. */
const callers = 8;
const askedMax = 50_000;
const playersAtOnce = 1_000;
const place = { board: 'default', period: '2026-01', order: 'desc' } as const;
const ties = 'standard' as const;

type Ask = (readModel: LeaderboardReadModel, player: number) => Promise<unknown>;

const questions: readonly (readonly [string, Ask])[] = [
  ['top 10', (model) => model.top({ ...place, limit: 10, offset: 0, ties })],
  ['top 100', (model) => model.top({ ...place, limit: 100, offset: 0, ties })],
  [
    'four neighbours on either side',
    (model, player) => model.standing({ ...place, userId: playerId(player), around: 4, ties }),
  ],
];

/** What keeping names in memory gains: decision 058. */
export const cassandraNames: BenchCase = {
  name: 'cassandra-names',
  summary: 'reads of the board on Cassandra beside the same with names asked for in every answer',
  run: async ({ scale, tell }) => {
    const cassandra = await startCassandra(tell);
    const peer = 'the same with names asked for';
    if (cassandra.kind === 'missing') {
      return [{ work: 'names on Cassandra', peer, reach: 'stated', remark: cassandra.reason }];
    }
    const players = Math.max(200, scale.million / 100);
    const asked = Array.from({ length: askedMax }, (_, n) => (n * 7_919) % players);
    const board = await fill(cassandra.url, players);
    try {
      const rows: Comparison[] = [];
      for (const [work, ask] of questions) {
        const rate = (model: LeaderboardReadModel) =>
          ratePerSecond(scale.stretchMs, asked, (player) => ask(model, player), callers);
        const { keeping, asking } = board;
        await rate(keeping);
        const measured = await alternate(
          scale.longRounds,
          () => rate(keeping),
          () => rate(asking),
        );
        rows.push({
          ...{ work: `${work} on Cassandra, ${callers} callers`, peer, reach: 'stated' },
          ours: { value: measured.ours, unit: 'reads/s' },
          theirs: { value: measured.theirs, unit: 'reads/s' },
          ratio: measured.ratio,
          remark: `${players.toLocaleString('en-US')} players, all of them named; nothing is written`,
        });
      }
      return rows;
    } finally {
      await board.drop();
    }
  },
};

/** A board whose players are all named, and two read models of it: one keeps names, the other asks for them each time. */
async function fill(url: string, players: number) {
  const projection = leaderboardProjection.name;
  const where = { cassandra: url, projection, clock: systemClock };
  const filled = await generationToFill(cassandraProjectionStore(where));
  await filled.generation.finishBuilding?.();
  await commitPlayers(filled, players, playersAtOnce, changesOf);
  const live = cassandraLiveReader({ ...where, liveGeneration: () => filled.spec });
  const modelOf = (readsOf: (reads: CassandraReads) => CassandraReads) =>
    cassandraLeaderboardReadModel({
      current: async () => {
        const now = await live.current();
        if (now.kind !== 'ready') return { kind: 'lost' };
        return {
          kind: 'ready',
          reader: {
            read: (run, ...rest) => now.reader.read((reads) => run(readsOf(reads)), ...rest),
          },
        };
      },
      waitFor: async () => 'reached',
    } satisfies LiveCassandraGeneration);
  return {
    keeping: modelOf((reads) => reads),
    asking: modelOf((reads) => ({
      ranks: (...asked) => reads.ranks(...asked),
      order: (...asked) => reads.order(...asked),
      load: (keys) => reads.load(keys),
      loadKept: (keys) => reads.load(keys),
    })),
    drop: async () => {
      await live.close();
      await filled.drop();
    },
  };
}

function nameOf(user_id: string) {
  return { user_id, name: `The ${user_id}`, picture: null, erased: 0 };
}

function changesOf(player: number): RowChange[] {
  const { board, period } = place;
  const user_id = playerId(player);
  const score = (player * 7_919) % 10_007;
  const row = {
    ...{ board, period, user_id, score, standing: -score, reached_at: player },
    ...{ reached_by: randomUUID(), matches: 1, last_revision: 0 },
  };
  return [
    { table: 'scores', key: [board, period, user_id], row },
    { table: 'players', key: [user_id], row: nameOf(user_id) },
  ];
}
