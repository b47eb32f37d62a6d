import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Chance, weightedIndex } from './chance.ts';
import {
  matchPoints,
  monthUpTo,
  type Player,
  seasonPlayers,
  seasonScores,
  totalsOf,
} from './season.ts';

const noon = Date.UTC(2026, 10, 24, 12);

function season(seed: number, players: number, matches: number, now = noon) {
  const chance = new Chance(seed);
  const everybody = seasonPlayers(chance, 'run', players);
  return { everybody, scores: seasonScores(chance, 'run', everybody, matches, monthUpTo(now)) };
}

test('the same seed plays the same month, another seed another', () => {
  expect(season(1, 50, 300)).toEqual(season(1, 50, 300));
  expect(season(2, 50, 300)).not.toEqual(season(1, 50, 300));
});

test('every match has two players, and the points of a win or a draw', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 2, max: 40 }),
      fc.nat(200),
      (seed, players, matches) => {
        const { everybody, scores } = season(seed, players, matches);
        const known = new Set(everybody.map(({ userId }) => userId));
        expect(known.size).toBe(players);
        expect(scores).toHaveLength(2 * matches);
        expect(new Set(scores.map(({ match_id }) => match_id)).size).toBe(matches);
        for (let index = 0; index < scores.length; index += 2) {
          const [home, away] = [scores[index]!, scores[index + 1]!];
          expect(home.match_id).toBe(away.match_id);
          expect(home.user_id).not.toBe(away.user_id);
          expect(known.has(home.user_id) && known.has(away.user_id)).toBe(true);
          expect(['3-0', '0-3', '1-1']).toContain(`${home.points}-${away.points}`);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('matches are played from the first of the month to now, in order', () => {
  const times = season(3, 20, 500).scores.map(({ occurred_at }) => Date.parse(occurred_at));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times[0]).toBeGreaterThanOrEqual(Date.UTC(2026, 10, 1));
  expect(times.at(-1)).toBeLessThan(noon);
  // Spread over the month: each week has its share.
  const weeks = new Set(times.map((time) => new Date(time).getUTCDate() >> 3));
  expect(weeks.size).toBe(4);
});

test('in the first second of a month nothing is played before it', () => {
  const first = Date.UTC(2026, 11, 1);
  const { scores } = season(1, 4, 10, first);
  expect(monthUpTo(first)).toEqual({ from: first, until: first, period: '2026-12' });
  expect(new Set(scores.map(({ occurred_at }) => occurred_at))).toEqual(
    new Set(['2026-12-01T00:00:00.000Z']),
  );
});

test('most players share their score, and few play most', () => {
  const { everybody, scores } = season(1, 500, 5_000);
  const totals = totalsOf(scores);
  const byTotal = Map.groupBy(totals.values(), (total) => total);
  const tied = [...byTotal.values()].filter((ties) => ties.length > 1).flat().length;
  expect(tied).toBeGreaterThan(totals.size / 2);
  const played = Map.groupBy(scores, ({ user_id }) => user_id);
  const most = [...played.values()].map((own) => own.length).sort((a, b) => b - a);
  const tenth = most.slice(0, everybody.length / 10).reduce((sum, own) => sum + own, 0);
  expect(tenth).toBeGreaterThan(scores.length / 4);
});

test('nobody plays alone', () => {
  const [alone] = season(1, 2, 0).everybody as [Player];
  const chance = new Chance(1);
  expect(() => seasonScores(chance, 'run', [alone], 1, monthUpTo(noon))).toThrow('two players');
});

test('who is stronger wins more often, and equals draw about a quarter', () => {
  const shares = Array.from({ length: 1_000 }, (_, index) => index / 1_000);
  const results = (home: number, away: number) =>
    Map.groupBy(shares, (share) => matchPoints(home, away, share).join('-'));
  const even = results(1, 1);
  expect(even.get('3-0')?.length).toBeCloseTo(370, -1);
  expect(even.get('0-3')?.length).toBeCloseTo(370, -1);
  expect(even.get('1-1')?.length).toBeCloseTo(259, -1);
  const uneven = results(4, 1);
  expect(uneven.get('3-0')!.length).toBeGreaterThan(3 * uneven.get('0-3')!.length);
});

test('totals are plain addition', () => {
  const score = { occurred_at: '', match_id: '' };
  const totals = totalsOf([
    { ...score, user_id: 'ann', points: 3 },
    { ...score, user_id: 'bob', points: 0 },
    { ...score, user_id: 'ann', points: 1 },
  ]);
  expect([...totals]).toEqual([
    ['ann', 4],
    ['bob', 0],
  ]);
});

test('indexes are drawn as often as their weights say', () => {
  const draw = weightedIndex([1, 0.5, 2.5]);
  const chance = new Chance(7);
  const drawn = [0, 0, 0];
  for (let turn = 0; turn < 8_000; turn += 1) drawn[draw(chance)]! += 1;
  for (const [index, share] of [0.25, 0.125, 0.625].entries()) {
    expect(drawn[index]! / 8_000).toBeCloseTo(share, 1);
  }
});

test('a shuffle keeps everything', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat()), (seed, items) => {
      const shuffled = new Chance(seed).shuffled(items);
      expect(shuffled.sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
    }),
  );
  expect(() => new Chance(1).pick([])).toThrow(RangeError);
});
