import fc from 'fast-check';
import type { Operator, Order } from '../input.ts';
import type { EntryPlace } from '../read-model/port.ts';
import { bucketOf, scoresStream } from '../streams.ts';
import { type HistoryFeeder, sampleBuckets } from './feeder.ts';

export interface SampleBoard {
  readonly board: string;
  readonly operator: Operator;
  readonly order: Order;
}

/** A board for every operator and order. */
export const sampleBoards: readonly SampleBoard[] = (
  ['increment', 'best', 'latest'] as const
).flatMap((operator) =>
  (['desc', 'asc'] as const).map((order) => ({ board: `${operator}-${order}`, operator, order })),
);

export const samplePeriods = ['2026-10', '2026-11'] as const;

/** Some that sort differently by code unit and by code point, and one that is a member of Object. */
export const sampleUsers: readonly string[] = [
  ...Array.from({ length: 9 }, (_, n) => `user-${n}`),
  '__proto__',
  'Ωμέγα ~',
  '\u{1f600}',
  '\uffee',
];

export type Step =
  | {
      readonly kind: 'score';
      readonly board: SampleBoard;
      readonly period: string;
      readonly user: string;
      readonly match: number;
      readonly points: number;
    }
  | {
      readonly kind: 'close';
      readonly board: string;
      readonly period: string;
      readonly bucket: number;
    }
  | {
      readonly kind: 'name';
      readonly user: string;
      readonly name: string;
      readonly picture: boolean;
    }
  | { readonly kind: 'erase' | 'tell-erasure'; readonly user: string }
  | { readonly kind: 'pass-time'; readonly ms: number }
  | { readonly kind: 'commit' };

const user = fc.constantFrom(...sampleUsers);
const period = fc.constantFrom(...samplePeriods);

/** Few points, so that most players are tied; now and then so many that the next total may be unsafe. */
const points = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -2, max: 3 }) },
  { weight: 2, arbitrary: fc.integer({ min: -70_000, max: 70_000 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 52),
  },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('score' as const),
      board: fc.constantFrom(...sampleBoards),
      period,
      user,
      // Few matches: some come again, with the same points or with others.
      match: fc.integer({ min: 0, max: 30 }),
      points,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('close' as const),
      board: fc.constantFrom(...sampleBoards.map(({ board }) => board)),
      period,
      bucket: fc.integer({ min: 0, max: sampleBuckets - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('name' as const),
      user,
      name: fc.constantFrom('Ann', 'Bob', 'Ωμέγα'),
      picture: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('erase' as const, 'tell-erasure' as const),
      user,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('pass-time' as const),
      ms: fc.constantFrom(1, 1_000),
    }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'commit' }) },
);

export const histories = fc.array(step, { minLength: 20, maxLength: 250, size: 'max' });

/** Plays a history; returns where each score event lies. */
export async function play(feeder: HistoryFeeder, history: readonly Step[]): Promise<EntryPlace[]> {
  const places: EntryPlace[] = [];
  for (const one of history) {
    if (one.kind === 'score') {
      const { board: on, period: within, user: user_id, match: match_id, points: some } = one;
      places.push(await feeder.score({ ...on, period: within, user_id, match_id, points: some }));
    } else if (one.kind === 'close') await feeder.closeBucket(one.board, one.period, one.bucket);
    else if (one.kind === 'pass-time') feeder.passTime(one.ms);
    else if (one.kind === 'commit') await feeder.commit();
    else if (one.kind === 'name') {
      const picture = one.picture ? ['https://example.org/p.png'] : [];
      await feeder.name(one.user, one.name, ...picture);
    } else if (one.kind === 'erase') await feeder.erase(one.user);
    else await feeder.tellErasure(one.user);
  }
  await feeder.commit();
  return places;
}

export function bucketStream(board: string, userId: string): string {
  return scoresStream(board, bucketOf(userId, sampleBuckets));
}
