import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { scoreInputSchema } from './input.ts';
import type { LeaderboardReadModel } from './read-model/port.ts';
import { Leaderboard } from './service.ts';
import {
  FollowingNaive,
  type TwinLeaderboard,
  twinLeaderboard,
} from './testing/twin-leaderboard.ts';

/** Every operation that takes a position; what it shows of the points that ann has, or of her name. */
const operations: readonly (readonly [
  string,
  (service: Leaderboard, minPosition: string) => Promise<{ readonly kind: string }>,
  object,
])[] = [
  [
    'a page of the board',
    (service, minPosition) => service.top({ limit: 10, offset: 0, minPosition }),
    { rows: [{ userId: 'ann', score: 7 }] },
  ],
  [
    'a standing',
    (service, minPosition) => service.standing({ userId: 'ann', around: 1, minPosition }),
    { row: { score: 7, matches: 2 } },
  ],
  [
    'ranks among friends',
    (service, minPosition) => service.ranks({ userIds: ['ann'], minPosition }),
    { rows: [{ userId: 'ann', score: 7 }] },
  ],
  [
    'a history',
    (service, minPosition) => service.history({ userId: 'ann', limit: 10, minPosition }),
    { matches: [{ matchId: 'm2' }, { matchId: 'm1' }] },
  ],
  [
    'a player',
    (service, minPosition) => service.player({ userId: 'ann', minPosition }),
    { player: { name: 'Ann' } },
  ],
];

const reads = ['top', 'standing', 'ranks', 'history', 'player'] as const;

let twin: TwinLeaderboard;
/** The read model as it was before the last score and the name. */
let before: FollowingNaive;
let minPosition: string;

const score = (points: number, match_id: string) =>
  scoreInputSchema.parse({ user_id: 'ann', points, match_id });

beforeEach(async () => {
  twin = await twinLeaderboard();
  await twin.leaderboard.recordScore(score(3, 'm1'));
  before = new FollowingNaive(twin.log, twin.cipher);
  await before.catchUp();
  await twin.leaderboard.recordScore(score(4, 'm2'));
  const named = await twin.leaderboard.putPlayer('ann', { name: 'Ann' });
  minPosition = (named as { position: string }).position;
});
afterEach(() => twin.close());

/** A service whose read model has come to where it is waited for, and answers from before for so many times. */
function goingBack(times: number) {
  let asked = 0;
  const model: { [name in keyof LeaderboardReadModel]?: unknown } = { ...twin.readModel };
  for (const name of reads) {
    model[name] = (query: never) => {
      asked += 1;
      const from: LeaderboardReadModel = asked <= times ? before : twin.readModel;
      return from[name](query);
    };
  }
  model.waitFor = (...waited: Parameters<LeaderboardReadModel['waitFor']>) =>
    twin.readModel.waitFor(waited[0]);
  const service = new Leaderboard({ ...twin, readModel: model as LeaderboardReadModel });
  return { service, asked: () => asked };
}

describe.each(operations)('%s', (_, ask, shown) => {
  test('of a read model that went back after it was waited for is asked for again', async () => {
    const { service, asked } = goingBack(2);
    expect(await ask(service, minPosition)).toMatchObject({ kind: 'answer', ...shown });
    expect(asked()).toBe(3);
  });

  test('of one that stays behind is late, and never older than was asked for', async () => {
    const { service } = goingBack(Number.POSITIVE_INFINITY);
    expect(await ask(service, minPosition)).toEqual({ kind: 'late' });
  });

  test('of one that was lost meanwhile is lost', async () => {
    const { service } = goingBack(1);
    const { waitFor } = twin.readModel;
    let waits = 0;
    twin.readModel.waitFor = async (checkpoint) => {
      waits += 1;
      if (waits > 1) twin.readModel.state = 'lost';
      return waitFor.call(twin.readModel, checkpoint);
    };
    expect(await ask(service, minPosition)).toEqual({ kind: 'lost' });
  });
});
