import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from './limits.ts';
import {
  differences,
  faults,
  fingerprint,
  type Place,
  placeFaults,
  type Row,
  tiesIn,
} from './picture.ts';
import { differenceText } from './show.ts';

/** A right board of these scores, whatever their order. */
function board(...scores: number[]): { rows: Row[] } {
  const sorted = [...scores].sort((a, b) => b - a);
  const rows = sorted.map((score, index) => ({
    rank: 1 + sorted.filter((other) => other > score).length,
    user_id: `p${index}`,
    user_name: `Player ${index}`,
    score,
  }));
  return { rows };
}

function totals({ rows }: { rows: Row[] }): Map<string, number> {
  return new Map(rows.map(({ user_id, score }) => [user_id, score]));
}

function changed(row: Row, change: Partial<Row>): Row {
  return { ...row, ...change };
}

const three = board(9, 5, 5);
const [first, second, third] = three.rows as [Row, Row, Row];

describe('two pictures', () => {
  it('of the same board do not differ', () => {
    expect(differences(three, board(9, 5, 5))).toEqual([]);
    expect(fingerprint(three)).toBe(fingerprint(board(9, 5, 5)));
  });

  it.each([
    ['a rank', [first, changed(second, { rank: 3 }), third], [2]],
    ['a score', [changed(first, { score: 10 }), second, third], [1]],
    ['a name', [first, second, changed(third, { user_name: null })], [3]],
    ['the order within a tie', [first, third, second], [2, 3]],
    ['a player who is gone', [first, second], [3]],
    ['a player who is new', [...three.rows, changed(third, { user_id: 'p9' })], [4]],
    ['everything', [], [1, 2, 3]],
  ])('differ by %s', (_what, rows, places) => {
    const found = differences(three, { rows });
    expect(found.map(({ place }) => place)).toEqual(places);
    expect(fingerprint({ rows })).not.toBe(fingerprint(three));
  });

  it('are told apart in words', () => {
    const [gone] = differences(three, { rows: [first, second] });
    expect(gone && differenceText(gone)).toBe('place 3: p2 (Player 2) rank 2 score 5 → nobody');
  });
});

describe('plain addition', () => {
  it('finds nothing on a right board', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 })), (scores) => {
        const right = board(...scores);
        expect(faults(right, totals(right))).toEqual([]);
      }),
    );
  });

  it.each([
    ['a wrong rank', [first, changed(second, { rank: 3 }), third], 'p1 has rank 3, not 2'],
    ['a lower score above', [changed(first, { score: 1 }), second, third], 'stands below 1'],
    ['a lost score', [first, second], 'p2 has no score, and the matches give 5'],
    ['a doubled score', [changed(first, { score: 12 }), second, third], 'p0 has 12'],
    ['a player twice', [first, second, third, third], 'p2 stands on the board twice'],
  ])('finds %s', (_what, rows, fault) => {
    expect(faults({ rows }, totals(three)).join()).toContain(fault);
  });

  it('does not mind other people on the board', () => {
    expect(faults(three, new Map([['p1', 5]]))).toEqual([]);
  });

  it('says no more than anybody reads', () => {
    const nobody = new Map(Array.from({ length: 100 }, (_, index) => [`x${index}`, 1]));
    expect(faults(three, nobody)).toHaveLength(limits.differencesShownMax);
  });
});

describe("a player's own page", () => {
  const wide = board(20, 19, 18, 17, 16, 15, 15, 13, 12, 11, 10);
  const place = (index: number, change: Partial<Place['user_info']> = {}): Place => {
    const own = wide.rows[index]!;
    const behind = wide.rows.filter(({ score }) => score < own.score).length;
    const percentile = Math.floor((behind * 10_000) / wide.rows.length) / 100;
    const neighbors = wide.rows
      .slice(Math.max(0, index - 4), index + 5)
      .filter((row) => row !== own);
    return { user_info: { ...own, percentile, ...change }, neighbors };
  };

  it('is the same as on the board, at its ends too', () => {
    for (const index of wide.rows.keys()) expect(placeFaults(wide, place(index))).toEqual([]);
  });

  it('is found to have another rank, percentile or neighbours', () => {
    expect(placeFaults(wide, place(5, { rank: 7 }))).toEqual([
      'p5 has another rank, name or score alone',
    ]);
    expect(placeFaults(wide, place(5, { percentile: 45.45 }))).toEqual([
      'p5 is ahead of 45.45 %, and of 36.36 % by counting',
    ]);
    const own = place(5);
    expect(placeFaults(wide, { ...own, neighbors: own.neighbors.slice(1) })).toEqual([
      'the neighbours of p5 are others than on the board',
    ]);
    expect(placeFaults(wide, place(0, { user_id: 'p99' }))).toEqual([
      'p99 does not stand on the board',
    ]);
  });
});

it('ties are counted', () => {
  expect(tiesIn(board(9, 5, 5, 5, 2, 2))).toEqual({
    distinct_scores: 3,
    tied_players: 5,
    largest_tie: 3,
  });
  expect(tiesIn(board())).toEqual({ distinct_scores: 0, tied_players: 0, largest_tie: 0 });
});
