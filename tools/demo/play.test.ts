import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Client } from './client.ts';
import { playScores, requestsOf } from './play.ts';
import type { Score } from './season.ts';
import { answeringServer, problem, type Seen, type Told } from './testing/answering-server.ts';

function scores(count: number): Score[] {
  return Array.from({ length: count }, (_, index) => ({
    user_id: `p${index}`,
    match_id: 'm',
    points: 1,
    occurred_at: '2026-11-24T12:00:00.000Z',
  }));
}

async function play(count: number, answer: (seen: Seen, index: number) => Told) {
  const server = await answeringServer(answer);
  const client = new Client({ url: server.url, signal: new AbortController().signal });
  onTestFinished(() => client.close());
  let progress = 0;
  const played = await playScores(client, { leaderboard: 'b' }, scores(count), (more) => {
    progress += more;
  });
  expect(progress).toBe(count);
  return { played, seen: server.seen };
}

const recorded = { result: 'recorded', total: 1, position: '0:1', problem: null };
const busy = {
  result: 'refused',
  total: null,
  position: null,
  problem: { code: 'log-overloaded', detail: 'too busy' },
};

describe('the requests', () => {
  it('carry every score once and in order, most in batches and some alone', () => {
    fc.assert(
      fc.property(fc.nat(3_500), (count) => {
        const all = scores(count);
        const requests = requestsOf(all);
        expect(requests.flat()).toEqual(all);
        expect(Math.max(0, ...requests.map((request) => request.length))).toBeLessThanOrEqual(
          1_000,
        );
        const alone = requests.filter((request) => request.length === 1).length;
        if (count >= 20) expect(alone / count).toBeCloseTo(0.1, 1);
      }),
      { numRuns: 30 },
    );
  });
});

describe('playing', () => {
  it('counts what is new, what is known, and what is not visible yet', async () => {
    const { played, seen } = await play(10, ({ url }) =>
      url === '/v1/scores/batch'
        ? {
            status: 200,
            body: {
              data: [
                { ...recorded, result: 'duplicate' },
                { ...recorded, total: null, position: '0:7' },
                ...Array(7).fill(recorded),
              ],
            },
          }
        : { status: 202, body: { total: null, position: '0:9', duplicate: false } },
    );
    expect(played).toMatchObject({ recorded: 9, duplicates: 1 });
    expect([...played.unseen].sort()).toEqual(['0:7', '0:9']);
    const single = seen.find(({ url }) => url === '/v1/scores');
    expect(single?.body).toMatchObject({ leaderboard: 'b', user_id: 'p9', points: 1 });
  });

  it('sends a batch again of which a part was refused, and does not take its own for duplicates', async () => {
    const attempts = [
      [recorded, busy],
      [{ ...recorded, result: 'duplicate' }, recorded],
    ];
    const { played, seen } = await play(2, (_seen, index) => ({
      status: 200,
      body: { data: attempts[index] },
    }));
    expect(seen).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
    expect(played).toEqual({ recorded: 2, duplicates: 0, unseen: [] });
  });

  it.each([
    [
      'an item is refused',
      { ...busy, problem: { code: 'period-closed', detail: 'it is closed' } },
      'it is closed',
    ],
    ['a result is missing', undefined, '1 results of 2'],
  ])('ends when %s for good', async (_what, item, message) => {
    const data = item ? [recorded, item] : [recorded];
    await expect(play(2, () => ({ status: 200, body: { data } }))).rejects.toThrow(message);
  });

  it('ends when a score is refused', async () => {
    const refused = problem(409, 'score-key-reused', 'other points');
    await expect(play(1, () => refused)).rejects.toThrow('POST /v1/scores was answered 409');
  });
});
